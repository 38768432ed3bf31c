import { z } from '@hono/zod-openapi';
import * as messages from '../../workflows/messages.ts';
import type { ApiApp } from '../dependencies.ts';
import { answer, jsonBody, operation } from '../operation.ts';
import { integrationSchema, presentIntegration } from '../schemas/integration.ts';
import { nameField } from '../schemas/name.ts';
import { idParam } from '../schemas/shared.ts';
import { actorOf, integrationOrNotFound, snapshotOf } from '../snapshot.ts';

const route = operation({
  method: 'patch',
  path: '/v1/integrations/{id}',
  operationId: 'renameIntegration',
  summary: 'Rename an integration',
  tags: ['Integrations'],
  role: 'manager',
  request: {
    params: idParam,
    body: jsonBody(z.strictObject({ name: nameField }).openapi('RenameIntegration')),
  },
  responses: { 200: answer(integrationSchema, 'The integration with its new name.') },
  problems: [409],
});

export function addRenameIntegration(app: ApiApp): void {
  app.openapi(route, async (c) => {
    const integration = await integrationOrNotFound(c.var, c.req.valid('param').id);
    await c.var.dependencies.orchestrator.command(messages.rename, snapshotOf(integration), {
      name: c.req.valid('json').name,
      actor: actorOf(c.var.principal),
    });
    return c.json(presentIntegration(await integrationOrNotFound(c.var, integration.id)), 200);
  });
}
