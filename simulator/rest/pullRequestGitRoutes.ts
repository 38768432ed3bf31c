import { NEEDS } from '../auth/scopes.ts';
import type { Call, Route } from '../http/call.ts';
import { badRequest, notFound, refuse } from '../http/errors.ts';
import { readPagelen, urlWith } from '../http/paging.ts';
import { emptyReply, jsonReply, type Reply } from '../http/reply.ts';
import { fullName } from '../model/entities.ts';
import { orCommitNotFound } from './commitRoutes.ts';
import type { Host } from './host.ts';
import { pullRequestOf, repositoryOf } from './resolve.ts';

const COMMITS = { fallback: 10, max: 100 } as const;
const TOKEN_OFFSET = 371_293;

/** Pages of a pull request's commits are opaque words (facts 3.1). */
const tokenOf = (offset: number): string => (offset * 31 + TOKEN_OFFSET).toString(36);

function offsetOf(token: string | null): number {
  if (token === null || token === '1') return 0;
  const offset = (Number.parseInt(token, 36) - TOKEN_OFFSET) / 31;
  if (!Number.isInteger(offset) || offset < 0 || tokenOf(offset) !== token)
    refuse(badRequest('Invalid page'));
  return offset;
}

/** What pull requests tell about commits. */
export function createPullRequestGitRoutes(host: Host): Route[] {
  const base = '/repositories/:workspace/:repository/pullrequests/:id';
  const common = { method: 'GET', needs: NEEDS.pullRequest, group: 'repository' } as const;

  async function commits(call: Call): Promise<Reply> {
    const repository = repositoryOf(host, call);
    const pullRequest = pullRequestOf(repository, call);
    const pagelen = readPagelen(call.query, COMMITS);
    const offset = offsetOf(call.query.get('page'));
    const { source, destination } = pullRequest;
    if (source.repository === 'gone' || source.hash === null) {
      return refuse(notFound('The source repository of this pull request no longer exists.'));
    }
    // Nothing is listed once the source branch is gone (facts 3.7).
    const branches = await host.git.refs(repository.gitKey);
    const alive = branches.some((ref) => ref.kind === 'branch' && ref.name === source.branch);
    const found = alive
      ? await orCommitNotFound(
          host.git.commits(repository.gitKey, {
            include: [source.hash],
            exclude: destination.hash === null ? [] : [destination.hash],
            skip: offset,
            limit: pagelen + 1,
          }),
        )
      : [];
    if (offset > 0 && found.length === 0) refuse(badRequest('Invalid page'));
    const values = found.slice(0, pagelen).map((commit) => host.commits.commit(repository, commit, false));
    const next =
      found.length > pagelen
        ? `,"next":${JSON.stringify(urlWith(call.base, call.query, { page: tokenOf(offset + pagelen) }))}`
        : '';
    return jsonReply(
      `{"pagelen":${pagelen},"values":[${values.join(',')}],"page":${Math.floor(offset / pagelen) + 1}${next}}`,
    );
  }

  function redirectTo(what: 'diff' | 'diffstat') {
    return (call: Call): Reply => {
      const repository = repositoryOf(host, call);
      const { number, source, destination } = pullRequestOf(repository, call);
      if (source.hash === null || destination.hash === null) return refuse(notFound('Commit not found'));
      const spec = `${fullName(repository)}:${source.hash.slice(0, 12)}%0D${destination.hash.slice(0, 12)}`;
      return emptyReply(302, {
        location: `${host.urls.api}/repositories/${fullName(repository)}/${what}/${spec}?from_pullrequest_id=${number}&topic=true`,
      });
    };
  }

  return [
    { ...common, path: `${base}/commits`, handle: commits },
    { ...common, path: `${base}/diffstat`, handle: redirectTo('diffstat') },
    { ...common, path: `${base}/diff`, handle: redirectTo('diff') },
  ];
}
