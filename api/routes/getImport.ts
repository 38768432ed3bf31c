import type { ApiApp } from '../dependencies.ts';
import { readImportDetail } from '../importDetail.ts';
import { answer, operation } from '../operation.ts';
import { notFound } from '../problem.ts';
import { importDetailSchema } from '../schemas/importDetail.ts';
import { idParam } from '../schemas/shared.ts';

const route = operation({
  method: 'get',
  path: '/v1/imports/{id}',
  operationId: 'getImport',
  summary: 'Read an import',
  description:
    'State, totals per stream, requests left and when it is likely to end, and why it waits. Per repository: …/repositories.',
  tags: ['Imports'],
  role: 'viewer',
  request: { params: idParam },
  responses: { 200: answer(importDetailSchema, 'How far the import is.') },
});

export function addGetImport(app: ApiApp): void {
  app.openapi(route, async (c) => {
    const { id } = c.req.valid('param');
    const detail = await c.var.dependencies.database.read(c.var.principal.organizationId, (tx) =>
      readImportDetail(tx, id),
    );
    if (detail === null) throw notFound('import');
    return c.json(detail, 200);
  });
}
