import { NEEDS } from '../auth/scopes.ts';
import type { Call, Route } from '../http/call.ts';
import { badLogin, badRequest, notFound, refuse } from '../http/errors.ts';
import { asksFor } from '../http/fields.ts';
import { iteratorPage, numberedPage, pageOf, readPage, readPagelen, urlWith } from '../http/paging.ts';
import { jsonReply } from '../http/reply.ts';
import type { Repository } from '../model/entities.ts';
import type { Host } from './host.ts';
import type { Json } from './json.ts';
import { COMMENT_FIELDS } from './pullRequestFields.ts';
import { type Chosen, createAuthorLists, createListMemory } from './pullRequestLists.ts';
import { pullRequestOf, repositoryOf, visible, workspaceOf } from './resolve.ts';
import { arranged } from './workspaceRoutes.ts';

const LIST = { fallback: 10, max: 50 } as const;
const ACTIVITY = { fallback: 20, max: 50 } as const;
const COMMENTS = { fallback: 10, max: 100 } as const;

/** The place in an iterator's list travels in an opaque word. */
const contextOf = (offset: number): string => Buffer.from(`activity:${offset}`).toString('base64url');

function offsetOf(query: URLSearchParams): number {
  const context = query.get('ctx');
  if (context === null) return 0;
  const match = /^activity:(\d+)$/.exec(Buffer.from(context, 'base64url').toString('utf8'));
  return match?.[1] === undefined ? refuse(badRequest('Invalid page')) : Number(match[1]);
}

export function createPullRequestRoutes(host: Host): Route[] {
  const remembered = createListMemory();
  const byAuthor = createAuthorLists(host.world);
  const base = '/repositories/:workspace/:repository/pullrequests';
  const common = { method: 'GET', needs: NEEDS.pullRequest, group: 'repository' } as const;

  /** Anonymous callers of a private repository's pull requests get 401 (facts 4.2). */
  function repositoryFor(call: Call): Repository {
    try {
      return repositoryOf(host, call);
    } catch (error) {
      if (call.actor === null) refuse(badLogin());
      throw error;
    }
  }

  function page(call: Call, list: readonly Chosen[]): Json {
    const parts = {
      rendered: asksFor(call.fields, 'values.rendered'),
      reviewers: asksFor(call.fields, 'values.reviewers'),
      participants: asksFor(call.fields, 'values.participants'),
    };
    return numberedPage({
      base: call.base,
      query: call.query,
      request: readPage(call.query, LIST),
      size: list.length,
      render(index) {
        const chosen = list[index];
        const pullRequest = chosen?.repository.pullRequests.get(chosen.number);
        if (chosen === undefined || pullRequest === undefined) return 'null';
        return host.pullRequests.pullRequest(chosen.repository, pullRequest, parts);
      },
    });
  }

  /** `q` and `sort` are silently ignored here (facts 3.3). */
  function activityPage(call: Call, size: number, render: (index: number) => Json): Json {
    const pagelen = readPagelen(call.query, ACTIVITY);
    const offset = offsetOf(call.query);
    const values: Json[] = [];
    for (let index = offset; index < Math.min(offset + pagelen, size); index += 1) values.push(render(index));
    const next =
      offset + pagelen < size ? urlWith(call.base, call.query, { ctx: contextOf(offset + pagelen) }) : null;
    return iteratorPage(pagelen, values, next);
  }

  return [
    {
      ...common,
      path: base,
      handle(call) {
        const repository = repositoryFor(call);
        return jsonReply(page(call, remembered(call, repository)));
      },
    },
    {
      ...common,
      path: `${base}/activity`,
      handle(call) {
        const repository = repositoryFor(call);
        const feed = repository.pullRequests.feed();
        return jsonReply(
          activityPage(call, feed.size, (position) => {
            const place = feed.place(position);
            const pullRequest = repository.pullRequests.get(place.number);
            const entry = pullRequest?.activity[place.index];
            if (pullRequest === undefined || entry === undefined) return 'null';
            return host.pullRequests.activity(repository, pullRequest, entry);
          }),
        );
      },
    },
    {
      ...common,
      path: `${base}/:id`,
      handle(call) {
        const repository = repositoryFor(call);
        const parts = { rendered: true, reviewers: true, participants: true };
        return jsonReply(host.pullRequests.pullRequest(repository, pullRequestOf(repository, call), parts));
      },
    },
    {
      ...common,
      path: `${base}/:id/activity`,
      handle(call) {
        const repository = repositoryFor(call);
        const pullRequest = pullRequestOf(repository, call);
        const newestFirst = pullRequest.activity.toReversed();
        return jsonReply(
          activityPage(call, newestFirst.length, (index) => {
            const entry = newestFirst[index];
            return entry === undefined ? 'null' : host.pullRequests.activity(repository, pullRequest, entry);
          }),
        );
      },
    },
    {
      ...common,
      path: `${base}/:id/comments`,
      handle(call) {
        const repository = repositoryOf(host, call);
        const pullRequest = pullRequestOf(repository, call);
        return jsonReply(
          pageOf(
            { base: call.base, query: call.query, rule: COMMENTS },
            arranged(call, pullRequest.comments, COMMENT_FIELDS),
            (comment) => host.pullRequests.comment(repository, pullRequest, comment),
          ),
        );
      },
    },
    {
      ...common,
      path: `${base}/:id/comments/:comment`,
      handle(call) {
        const repository = repositoryOf(host, call);
        const pullRequest = pullRequestOf(repository, call);
        const comment = pullRequest.comments.find((entry) => String(entry.id) === call.params.comment);
        if (comment === undefined) return refuse(notFound('Comment not found'));
        return jsonReply(host.pullRequests.comment(repository, pullRequest, comment));
      },
    },
    {
      ...common,
      path: `${base}/:id/statuses`,
      handle(call) {
        pullRequestOf(repositoryFor(call), call);
        return jsonReply(pageOf({ base: call.base, query: call.query, rule: COMMENTS }, [], () => 'null'));
      },
    },
    {
      ...common,
      path: '/workspaces/:workspace/pullrequests/:user',
      handle(call) {
        const workspace = workspaceOf(host, call);
        const author = host.world.person(call.params.user ?? '');
        if (author === undefined) return refuse(notFound(`${call.params.user} is not a valid user`));
        const list = byAuthor(
          call.query,
          author.uuid,
          (repository) => repository.workspace === workspace && visible(call.actor, repository),
        );
        return jsonReply(page(call, list));
      },
    },
  ];
}
