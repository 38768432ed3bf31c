import { z } from '@hono/zod-openapi';
import { listCommits } from '../../db/queries/api/records.ts';
import { createCursor, cursorInstant, page } from '../cursor.ts';
import type { ApiApp } from '../dependencies.ts';
import { answer, operation } from '../operation.ts';
import { ofRepository } from '../repository.ts';
import { commitSchema, presentCommit } from '../schemas/records.ts';
import { idParam, listOf, pageQuery } from '../schemas/shared.ts';

const cursor = createCursor(
  'commits',
  z.strictObject({ at: cursorInstant.nullable(), hash: z.string().regex(/^[0-9a-f]{40,64}$/) }),
);

const route = operation({
  method: 'get',
  path: '/v1/repositories/{id}/commits',
  operationId: 'listCommits',
  summary: 'List commits, newest first',
  tags: ['Data'],
  role: 'viewer',
  request: {
    params: idParam,
    query: pageQuery.extend({
      include: z.enum(['files']).optional().meta({ description: '`files`: with the files of each commit' }),
    }),
  },
  responses: { 200: answer(listOf(commitSchema, 'CommitList'), 'A page of commits.') },
});

export function addListCommits(app: ApiApp): void {
  app.openapi(route, async (c) => {
    const query = c.req.valid('query');
    const after = cursor.decode(query.cursor);
    const found = await c.var.dependencies.database.read(c.var.principal.organizationId, (tx) => {
      const { id: repositoryId } = c.req.valid('param');
      const includeFiles = query.include === 'files';
      const rows = listCommits(tx, { repositoryId, limit: query.limit + 1, after, includeFiles });
      return ofRepository(tx, repositoryId, rows);
    });
    const { rows, next_cursor } = page(found, query.limit, cursor, (row) => ({
      at: row.committedAt,
      hash: row.hash,
    }));
    return c.json({ data: rows.map(presentCommit), next_cursor }, 200);
  });
}
