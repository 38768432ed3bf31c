import * as messages from '../../workflows/messages.ts';
import { commandIntegration } from '../commandIntegration.ts';
import type { ApiApp } from '../dependencies.ts';
import { answer, jsonBody, locationHeader, operation } from '../operation.ts';
import { idParam } from '../schemas/shared.ts';
import { registerBody, upkeepSchema } from '../schemas/webhooks.ts';
import { actorOf, integrationOrNotFound } from '../snapshot.ts';
import { readUpkeep } from '../webhookUpkeep.ts';

const route = operation({
  method: 'put',
  path: '/v1/integrations/{id}/webhooks',
  operationId: 'registerWebhooks',
  summary: 'Register webhooks, or repair them',
  description:
    'One for each workspace that the account administers; else one for each imported repository that it administers. What is there already is taken over, never doubled. From then on each is looked up at Bitbucket every hour, and set up again where it was removed or disabled there. One whose deliveries are missing is sent its settings and secret again at once.',
  tags: ['Webhooks'],
  role: 'manager',
  request: { params: idParam, body: jsonBody(registerBody, false) },
  responses: { 202: answer(upkeepSchema, 'It runs; Location says how far it is.', locationHeader) },
  problems: [409],
});

export function addRegisterWebhooks(app: ApiApp): void {
  app.openapi(route, async (c) => {
    const { rotate } = c.req.valid('json');
    const integration = await integrationOrNotFound(c.var, c.req.valid('param').id);
    await commandIntegration(c.var, messages.registerWebhooks, integration, {
      rotate,
      actor: actorOf(c.var.principal),
    });
    const Location = `/v1/integrations/${integration.id}/webhooks`;
    return c.json(await readUpkeep(c.var, integration.id), 202, { Location });
  });
}
