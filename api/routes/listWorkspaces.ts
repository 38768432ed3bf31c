import { listWorkspaces } from '../../db/queries/api/discovered.ts';
import { createCursor, page } from '../cursor.ts';
import type { ApiApp } from '../dependencies.ts';
import { answer, operation } from '../operation.ts';
import { keyCursor, presentWorkspace, workspaceSchema, workspacesQuery } from '../schemas/discovered.ts';
import { idParam, listOf } from '../schemas/shared.ts';
import { ofIntegration } from '../snapshot.ts';

const cursor = createCursor('workspaces', keyCursor);

const route = operation({
  method: 'get',
  path: '/v1/integrations/{id}/workspaces',
  operationId: 'listWorkspaces',
  summary: 'List the workspaces that the integration sees',
  tags: ['Discovery'],
  role: 'viewer',
  request: { params: idParam, query: workspacesQuery },
  responses: { 200: answer(listOf(workspaceSchema, 'WorkspaceList'), 'A page of workspaces.') },
});

export function addListWorkspaces(app: ApiApp): void {
  app.openapi(route, async (c) => {
    const query = c.req.valid('query');
    const after = cursor.decode(query.cursor);
    const { id: integrationId } = c.req.valid('param');
    const found = await ofIntegration(c.var, integrationId, (tx) =>
      listWorkspaces(tx, {
        integrationId,
        limit: query.limit + 1,
        after,
        search: query.search,
      }),
    );
    const { rows, next_cursor } = page(found, query.limit, cursor, (row) => ({ key: row.slug, id: row.id }));
    return c.json({ data: rows.map(presentWorkspace), next_cursor }, 200);
  });
}
