import { readRetry } from '../../db/queries/api/quarantine.ts';
import type { ApiApp } from '../dependencies.ts';
import { answer, operation } from '../operation.ts';
import { notFound } from '../problem.ts';
import { presentRetry, retrySchema } from '../schemas/quarantine.ts';
import { idParam } from '../schemas/shared.ts';

const route = operation({
  method: 'get',
  path: '/v1/quarantine-retries/{id}',
  operationId: 'getQuarantineRetry',
  summary: 'Read how far a retry of quarantined records is',
  tags: ['Quarantine'],
  role: 'viewer',
  request: { params: idParam },
  responses: { 200: answer(retrySchema, 'The retry.') },
});

export function addGetQuarantineRetry(app: ApiApp): void {
  app.openapi(route, async (c) => {
    const row = await c.var.dependencies.database.read(c.var.principal.organizationId, (tx) =>
      readRetry(tx, c.req.valid('param').id),
    );
    if (row === null) throw notFound('retry');
    return c.json(presentRetry(row), 200);
  });
}
