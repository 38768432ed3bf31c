import { readLastCheck } from '../../db/queries/api/checks.ts';
import type { ApiApp } from '../dependencies.ts';
import { answer, operation } from '../operation.ts';
import { notFound } from '../problem.ts';
import { checkSchema, presentCheck } from '../schemas/check.ts';
import { idParam } from '../schemas/shared.ts';
import { integrationOrNotFound } from '../snapshot.ts';

const route = operation({
  method: 'get',
  path: '/v1/integrations/{id}/connection-check',
  operationId: 'getLastConnectionCheck',
  summary: 'Read the last connection check of an integration',
  tags: ['Connecting'],
  role: 'viewer',
  request: { params: idParam },
  responses: { 200: answer(checkSchema, 'The last check; 404 when there was none yet.') },
});

export function addGetLastConnectionCheck(app: ApiApp): void {
  app.openapi(route, async (c) => {
    const integration = await integrationOrNotFound(c.var, c.req.valid('param').id);
    const row = await c.var.dependencies.database.read(c.var.principal.organizationId, (tx) =>
      readLastCheck(tx, integration.id),
    );
    if (row === null) throw notFound('connection check');
    return c.json(presentCheck(row), 200);
  });
}
