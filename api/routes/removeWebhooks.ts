import * as messages from '../../workflows/messages.ts';
import { commandIntegration } from '../commandIntegration.ts';
import type { ApiApp } from '../dependencies.ts';
import { answer, locationHeader, operation } from '../operation.ts';
import { idParam } from '../schemas/shared.ts';
import { upkeepSchema } from '../schemas/webhooks.ts';
import { actorOf, integrationOrNotFound } from '../snapshot.ts';
import { readUpkeep } from '../webhookUpkeep.ts';

const route = operation({
  method: 'delete',
  path: '/v1/integrations/{id}/webhooks',
  operationId: 'removeWebhooks',
  summary: 'Remove the webhooks',
  description:
    'Changes are found by polling alone from then on. What the account can no longer reach at Bitbucket is let go: it can be removed there by hand, and its deliveries are refused.',
  tags: ['Webhooks'],
  role: 'admin',
  request: { params: idParam },
  responses: { 202: answer(upkeepSchema, 'It runs; Location says how far it is.', locationHeader) },
  problems: [409],
});

export function addRemoveWebhooks(app: ApiApp): void {
  app.openapi(route, async (c) => {
    const integration = await integrationOrNotFound(c.var, c.req.valid('param').id);
    await commandIntegration(c.var, messages.removeWebhooks, integration, {
      actor: actorOf(c.var.principal),
    });
    const Location = `/v1/integrations/${integration.id}/webhooks`;
    return c.json(await readUpkeep(c.var, integration.id), 202, { Location });
  });
}
