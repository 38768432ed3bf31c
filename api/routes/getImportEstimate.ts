import { readEstimate, readEstimatedRepositories } from '../../db/queries/api/estimates.ts';
import type { ApiApp } from '../dependencies.ts';
import { answer, operation } from '../operation.ts';
import { notFound } from '../problem.ts';
import { estimateSchema, presentEstimate } from '../schemas/estimate.ts';
import { idParam } from '../schemas/shared.ts';

const route = operation({
  method: 'get',
  path: '/v1/import-estimates/{id}',
  operationId: 'getImportEstimate',
  summary: 'Read an estimate',
  description:
    'What an import would take, as asked for by `dry_run`: requests, rows, when it would end. Removed after a day.',
  tags: ['Imports'],
  role: 'viewer',
  request: { params: idParam },
  responses: { 200: answer(estimateSchema, 'The estimate; its numbers when it is done.') },
});

export function addGetImportEstimate(app: ApiApp): void {
  app.openapi(route, async (c) => {
    const { id } = c.req.valid('param');
    const { row, repositories } = await c.var.dependencies.database.read(
      c.var.principal.organizationId,
      async (tx) => ({
        row: await readEstimate(tx, id),
        repositories: await readEstimatedRepositories(tx, id),
      }),
    );
    if (row === null) throw notFound('estimate');
    return c.json(presentEstimate(row, repositories), 200);
  });
}
