import { z } from '@hono/zod-openapi';
import { listComments, isPullRequest } from '../../db/queries/api/pullRequests.ts';
import { createCursor, page } from '../cursor.ts';
import type { ApiApp } from '../dependencies.ts';
import { answer, operation } from '../operation.ts';
import { notFound } from '../problem.ts';
import { ofRepository } from '../repository.ts';
import { commentSchema, presentComment, pullRequestParams } from '../schemas/pullRequest.ts';
import { listOf, pageQuery } from '../schemas/shared.ts';

const cursor = createCursor('pull_request_comments', z.int().min(0));

const route = operation({
  method: 'get',
  path: '/v1/repositories/{id}/pull-requests/{number}/comments',
  operationId: 'listPullRequestComments',
  summary: 'List the comments of a pull request, in the order they were written',
  tags: ['Data'],
  role: 'viewer',
  request: { params: pullRequestParams, query: pageQuery },
  responses: { 200: answer(listOf(commentSchema, 'PullRequestCommentList'), 'A page of comments.') },
});

export function addListPullRequestComments(app: ApiApp): void {
  app.openapi(route, async (c) => {
    const { id, number } = c.req.valid('param');
    const query = c.req.valid('query');
    const after = cursor.decode(query.cursor);
    const found = await c.var.dependencies.database.read(c.var.principal.organizationId, async (tx) => {
      const place = { repositoryId: id, number };
      const [isThere, rows] = await ofRepository(
        tx,
        id,
        Promise.all([
          isPullRequest(tx, place),
          listComments(tx, { ...place, limit: query.limit + 1, after }),
        ]),
      );
      if (!isThere) throw notFound('pull request');
      return rows;
    });
    const { rows, next_cursor } = page(found, query.limit, cursor, (row) => row.id);
    return c.json({ data: rows.map(presentComment), next_cursor }, 200);
  });
}
