import { z } from '@hono/zod-openapi';
import { listImports } from '../../db/queries/api/imports.ts';
import { createCursor, cursorInstant, page } from '../cursor.ts';
import type { ApiApp } from '../dependencies.ts';
import { answer, operation } from '../operation.ts';
import { importSchema, presentImport } from '../schemas/import.ts';
import { id, idParam, listOf, pageQuery } from '../schemas/shared.ts';
import { ofIntegration } from '../snapshot.ts';

const cursor = createCursor('imports', z.strictObject({ createdAt: cursorInstant, id }));

const route = operation({
  method: 'get',
  path: '/v1/integrations/{id}/imports',
  operationId: 'listImports',
  summary: 'List imports, newest first',
  tags: ['Imports'],
  role: 'viewer',
  request: { params: idParam, query: pageQuery },
  responses: { 200: answer(listOf(importSchema, 'ImportList'), 'A page of imports.') },
});

export function addListImports(app: ApiApp): void {
  app.openapi(route, async (c) => {
    const query = c.req.valid('query');
    const after = cursor.decode(query.cursor);
    const { id: integrationId } = c.req.valid('param');
    const found = await ofIntegration(c.var, integrationId, (tx) =>
      listImports(tx, { integrationId, limit: query.limit + 1, after }),
    );
    const { rows, next_cursor } = page(found, query.limit, cursor, (row) => ({
      createdAt: row.createdAt,
      id: row.id,
    }));
    return c.json({ data: rows.map(presentImport), next_cursor }, 200);
  });
}
