import { z } from '@hono/zod-openapi';
import { askRange } from '../../db/queries/syncRanges.ts';
import type { ApiApp } from '../dependencies.ts';
import { answer, jsonBody, locationHeader, operation } from '../operation.ts';
import { integrationSchema, presentIntegration } from '../schemas/integration.ts';
import { idParam } from '../schemas/shared.ts';
import { refuseFuture, since } from '../schemas/syncRange.ts';
import { integrationOrNotFound } from '../snapshot.ts';
import { notActive } from '../syncRefusals.ts';

const route = operation({
  method: 'post',
  path: '/v1/integrations/{id}/sync',
  operationId: 'syncIntegration',
  summary: 'Bring all imported repositories up to date now',
  description:
    'Each reads what changed since the last time, whatever webhooks and poll rounds say. Asked for twice, the second joins the first.',
  tags: ['Integrations'],
  role: 'manager',
  request: { params: idParam, body: jsonBody(z.strictObject({ since }), false) },
  responses: {
    202: answer(integrationSchema, 'It runs; `sync` of each repository says how it went.', locationHeader),
  },
});

export function addSyncIntegration(app: ApiApp): void {
  app.openapi(route, async (c) => {
    const integration = await integrationOrNotFound(c.var, c.req.valid('param').id);
    if (integration.state !== 'active') throw notActive(integration.state);
    const { since: wanted } = c.req.valid('json');
    refuseFuture(wanted);
    if (wanted !== undefined) {
      await c.var.dependencies.database.transaction(integration.organizationId, (tx) =>
        askRange(tx, { integrationId: integration.id, since: wanted }),
      );
    }
    await c.var.dependencies.orchestrator.syncIntegration({
      organizationId: integration.organizationId,
      integrationId: integration.id,
      name: integration.name,
    });
    const at = `/v1/integrations/${integration.id}/repositories`;
    return c.json(presentIntegration(integration), 202, { Location: at });
  });
}
