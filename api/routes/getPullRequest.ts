import {
  listActivity,
  listCommitsOfPullRequest,
  readPullRequest,
} from '../../db/queries/api/pullRequests.ts';
import type { ApiApp } from '../dependencies.ts';
import { answer, operation } from '../operation.ts';
import { notFound } from '../problem.ts';
import { repositoryOrNotFound } from '../repository.ts';
import {
  presentPullRequestDetail,
  pullRequestDetailSchema,
  pullRequestParams,
} from '../schemas/pullRequest.ts';

const route = operation({
  method: 'get',
  path: '/v1/repositories/{id}/pull-requests/{number}',
  operationId: 'getPullRequest',
  summary: 'Read a pull request with participants, activity and commits',
  tags: ['Data'],
  role: 'viewer',
  request: { params: pullRequestParams },
  responses: {
    200: answer(pullRequestDetailSchema, 'The pull request; activity oldest first, at most 1,000 entries.'),
  },
});

export function addGetPullRequest(app: ApiApp): void {
  app.openapi(route, async (c) => {
    const { id, number } = c.req.valid('param');
    const body = await c.var.dependencies.database.transaction(c.var.principal.organizationId, async (tx) => {
      const { id: repositoryId } = await repositoryOrNotFound(tx, id);
      const row = await readPullRequest(tx, { repositoryId, number });
      if (row === null) throw notFound('pull request');
      const place = { repositoryId, number };
      const activity = await listActivity(tx, place);
      return presentPullRequestDetail(row, activity, await listCommitsOfPullRequest(tx, place));
    });
    return c.json(body, 200);
  });
}
