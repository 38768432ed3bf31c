import { readCheck } from '../../db/queries/api/checks.ts';
import type { ApiApp } from '../dependencies.ts';
import { answer, operation } from '../operation.ts';
import { notFound } from '../problem.ts';
import { checkSchema, presentCheck } from '../schemas/check.ts';
import { idParam } from '../schemas/shared.ts';

const route = operation({
  method: 'get',
  path: '/v1/connection-checks/{id}',
  operationId: 'getConnectionCheck',
  summary: 'Read a connection check',
  tags: ['Connecting'],
  role: 'viewer',
  request: { params: idParam },
  responses: { 200: answer(checkSchema, 'The check; its report when it is done.') },
});

export function addGetConnectionCheck(app: ApiApp): void {
  app.openapi(route, async (c) => {
    const row = await c.var.dependencies.database.read(c.var.principal.organizationId, (tx) =>
      readCheck(tx, c.req.valid('param').id),
    );
    if (row === null) throw notFound('connection check');
    return c.json(presentCheck(row), 200);
  });
}
