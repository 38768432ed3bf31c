import { listRepositories } from '../../db/queries/api/discovered.ts';
import { createCursor, page } from '../cursor.ts';
import type { ApiApp } from '../dependencies.ts';
import { answer, operation } from '../operation.ts';
import { keyCursor, presentRepository, repositorySchema, repositoriesQuery } from '../schemas/discovered.ts';
import { idParam, listOf } from '../schemas/shared.ts';
import { ofIntegration } from '../snapshot.ts';

const cursor = createCursor('repositories', keyCursor);

const route = operation({
  method: 'get',
  path: '/v1/integrations/{id}/repositories',
  operationId: 'listRepositories',
  summary: 'List the repositories that the integration sees',
  tags: ['Discovery'],
  role: 'viewer',
  request: { params: idParam, query: repositoriesQuery },
  responses: { 200: answer(listOf(repositorySchema, 'RepositoryList'), 'A page of repositories.') },
});

export function addListRepositories(app: ApiApp): void {
  app.openapi(route, async (c) => {
    const query = c.req.valid('query');
    const after = cursor.decode(query.cursor);
    const { id: integrationId } = c.req.valid('param');
    const found = await ofIntegration(c.var, integrationId, (tx) =>
      listRepositories(tx, {
        integrationId,
        limit: query.limit + 1,
        after,
        search: query.search,
        workspaceId: query.workspace_id,
        projectId: query.project_id,
        imported: query.imported,
        presence: query.presence,
      }),
    );
    const { rows, next_cursor } = page(found, query.limit, cursor, (row) => ({
      key: row.fullName,
      id: row.id,
    }));
    return c.json({ data: rows.map(presentRepository), next_cursor }, 200);
  });
}
