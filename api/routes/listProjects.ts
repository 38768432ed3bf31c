import { listProjects } from '../../db/queries/api/discovered.ts';
import { createCursor, page } from '../cursor.ts';
import type { ApiApp } from '../dependencies.ts';
import { answer, operation } from '../operation.ts';
import { keyCursor, presentProject, projectSchema, projectsQuery } from '../schemas/discovered.ts';
import { idParam, listOf } from '../schemas/shared.ts';
import { ofIntegration } from '../snapshot.ts';

const cursor = createCursor('projects', keyCursor);

const route = operation({
  method: 'get',
  path: '/v1/integrations/{id}/projects',
  operationId: 'listProjects',
  summary: 'List the projects that the integration sees',
  tags: ['Discovery'],
  role: 'viewer',
  request: { params: idParam, query: projectsQuery },
  responses: { 200: answer(listOf(projectSchema, 'ProjectList'), 'A page of projects.') },
});

export function addListProjects(app: ApiApp): void {
  app.openapi(route, async (c) => {
    const query = c.req.valid('query');
    const after = cursor.decode(query.cursor);
    const { id: integrationId } = c.req.valid('param');
    const found = await ofIntegration(c.var, integrationId, (tx) =>
      listProjects(tx, {
        integrationId,
        limit: query.limit + 1,
        after,
        search: query.search,
        workspaceId: query.workspace_id,
      }),
    );
    const { rows, next_cursor } = page(found, query.limit, cursor, (row) => ({ key: row.key, id: row.id }));
    return c.json({ data: rows.map(presentProject), next_cursor }, 200);
  });
}
