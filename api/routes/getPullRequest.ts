import {
  listActivity,
  listCommitsOfPullRequest,
  readPullRequest,
} from '../../db/queries/api/pullRequests.ts';
import type { ApiApp } from '../dependencies.ts';
import { answer, operation } from '../operation.ts';
import { notFound } from '../problem.ts';
import { ofRepository } from '../repository.ts';
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
    const body = await c.var.dependencies.database.read(c.var.principal.organizationId, async (tx) => {
      const place = { repositoryId: id, number };
      const [row, activity, hashes] = await ofRepository(
        tx,
        id,
        Promise.all([
          readPullRequest(tx, place),
          listActivity(tx, place),
          listCommitsOfPullRequest(tx, place),
        ]),
      );
      if (row === null) throw notFound('pull request');
      return presentPullRequestDetail(row, activity, hashes);
    });
    return c.json(body, 200);
  });
}
