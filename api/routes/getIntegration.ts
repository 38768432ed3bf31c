import { readPolling } from '../../db/queries/api/polls.ts';
import { countDiscovered } from '../../db/queries/api/integrations.ts';
import { readRemoval } from '../../db/queries/api/removals.ts';
import type { ApiApp } from '../dependencies.ts';
import { answer, operation } from '../operation.ts';
import { integrationDetailSchema, presentIntegrationDetail } from '../schemas/integration.ts';
import { idParam } from '../schemas/shared.ts';
import { integrationOrNotFound } from '../snapshot.ts';

const route = operation({
  method: 'get',
  path: '/v1/integrations/{id}',
  operationId: 'getIntegration',
  summary: 'Read an integration',
  description: 'State and its reason, health, account, services, what it sees, and what can be done next.',
  tags: ['Integrations'],
  role: 'viewer',
  request: { params: idParam },
  responses: { 200: answer(integrationDetailSchema, 'The integration.') },
});

export function addGetIntegration(app: ApiApp): void {
  app.openapi(route, async (c) => {
    const row = await integrationOrNotFound(c.var, c.req.valid('param').id);
    const [counts, polling, removal] = await c.var.dependencies.database.transaction(
      c.var.principal.organizationId,
      (tx) => Promise.all([countDiscovered(tx, row.id), readPolling(tx, row.id), readRemoval(tx, row.id)]),
    );
    return c.json(presentIntegrationDetail(row, { counts, polling, removal }), 200);
  });
}
