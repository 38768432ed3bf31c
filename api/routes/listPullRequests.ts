import { listPullRequests } from '../../db/queries/api/pullRequests.ts';
import { createCursor, cursorNumber, page } from '../cursor.ts';
import type { ApiApp } from '../dependencies.ts';
import { answer, operation } from '../operation.ts';
import { ofRepository } from '../repository.ts';
import { presentPullRequest, pullRequestSchema } from '../schemas/pullRequest.ts';
import { idParam, listOf, stateQuery } from '../schemas/shared.ts';

const cursor = createCursor('pull_requests', cursorNumber);

const route = operation({
  method: 'get',
  path: '/v1/repositories/{id}/pull-requests',
  operationId: 'listPullRequests',
  summary: 'List pull requests with their participants, by number',
  tags: ['Data'],
  role: 'viewer',
  request: { params: idParam, query: stateQuery },
  responses: { 200: answer(listOf(pullRequestSchema, 'PullRequestList'), 'A page of pull requests.') },
});

export function addListPullRequests(app: ApiApp): void {
  app.openapi(route, async (c) => {
    const query = c.req.valid('query');
    const after = cursor.decode(query.cursor);
    const found = await c.var.dependencies.database.read(c.var.principal.organizationId, (tx) => {
      const { id: repositoryId } = c.req.valid('param');
      const rows = listPullRequests(tx, { repositoryId, limit: query.limit + 1, after, state: query.state });
      return ofRepository(tx, repositoryId, rows);
    });
    const { rows, next_cursor } = page(found, query.limit, cursor, (row) => row.number);
    return c.json({ data: rows.map(presentPullRequest), next_cursor }, 200);
  });
}
