import { z } from '@hono/zod-openapi';
import { listImportRepositories, readImport } from '../../db/queries/api/imports.ts';
import { readSurroundings } from '../../db/queries/importForecast.ts';
import { IMPORT_REPOSITORY_STATES } from '../../workflows/words.ts';
import { createCursor, cursorNumber, page } from '../cursor.ts';
import type { ApiApp } from '../dependencies.ts';
import { answer, operation } from '../operation.ts';
import { notFound } from '../problem.ts';
import { importRepositorySchema, presentImportRepository } from '../schemas/importRepository.ts';
import { idParam, listOf, pageQuery } from '../schemas/shared.ts';

const cursor = createCursor('import_repositories', cursorNumber);

const route = operation({
  method: 'get',
  path: '/v1/imports/{id}/repositories',
  operationId: 'listImportRepositories',
  summary: 'Read the progress of an import per repository and stream',
  tags: ['Imports'],
  role: 'viewer',
  request: {
    params: idParam,
    query: pageQuery.extend({ state: z.enum(IMPORT_REPOSITORY_STATES).optional() }),
  },
  responses: {
    200: answer(
      listOf(importRepositorySchema, 'ImportRepositoryList'),
      'A page, in the order they are taken up.',
    ),
  },
});

export function addListImportRepositories(app: ApiApp): void {
  app.openapi(route, async (c) => {
    const query = c.req.valid('query');
    const { id: importId } = c.req.valid('param');
    const afterPlace = cursor.decode(query.cursor);
    const { found, surroundings } = await c.var.dependencies.database.read(
      c.var.principal.organizationId,
      async (tx) => {
        const [row, rows, around] = await Promise.all([
          readImport(tx, importId),
          listImportRepositories(tx, { importId, limit: query.limit + 1, afterPlace, state: query.state }),
          readSurroundings(tx, importId),
        ]);
        if (row === null) throw notFound('import');
        return { found: rows, surroundings: around };
      },
    );
    const { rows, next_cursor } = page(found, query.limit, cursor, (row) => row.place);
    return c.json({ data: rows.map((row) => presentImportRepository(row, surroundings)), next_cursor }, 200);
  });
}
