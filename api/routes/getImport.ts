import { readImport, totalStreams } from '../../db/queries/api/imports.ts';
import type { ApiApp } from '../dependencies.ts';
import { answer, operation } from '../operation.ts';
import { notFound } from '../problem.ts';
import { importDetailSchema, presentImportDetail } from '../schemas/import.ts';
import { idParam } from '../schemas/shared.ts';

const route = operation({
  method: 'get',
  path: '/v1/imports/{id}',
  operationId: 'getImport',
  summary: 'Read an import',
  description: 'State, totals per stream, and why it waits. Per repository: …/repositories.',
  tags: ['Imports'],
  role: 'viewer',
  request: { params: idParam },
  responses: { 200: answer(importDetailSchema, 'How far the import is.') },
});

export function addGetImport(app: ApiApp): void {
  app.openapi(route, async (c) => {
    const { id } = c.req.valid('param');
    const { row, streams } = await c.var.dependencies.database.transaction(
      c.var.principal.organizationId,
      async (tx) => ({ row: await readImport(tx, id), streams: await totalStreams(tx, id) }),
    );
    if (row === null) throw notFound('import');
    return c.json(presentImportDetail(row, streams), 200);
  });
}
