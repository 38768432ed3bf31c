import { type Actor, repositoryRight, seesWorkspace } from '../auth/access.ts';
import { needsAdmin, noRepository, noWorkspace, notFound, refuse } from '../http/errors.ts';
import type { Call } from '../http/call.ts';
import { emptyReply } from '../http/reply.ts';
import { fullName, type Repository, type Workspace } from '../model/entities.ts';
import type { PullRequest } from '../model/pullRequest.ts';
import type { Host } from './host.ts';

const sameUuid = (left: string, right: string): boolean => left.toLowerCase() === right.toLowerCase();

export function findWorkspace(host: Host, identifier: string): Workspace | undefined {
  return host.world.workspaces.find(
    (entry) => entry.slug === identifier.toLowerCase() || sameUuid(entry.uuid, identifier),
  );
}

/** The workspace of a path, or 404. */
export function workspaceOf(host: Host, call: Call): Workspace {
  const identifier = call.params.workspace ?? '';
  const workspace = findWorkspace(host, identifier);
  if (workspace === undefined || !seesWorkspace(call.actor, workspace)) refuse(noWorkspace(identifier));
  return workspace;
}

/** By slug or uuid; a former slug is found with `moved` true. An empty workspace `{}` takes any (facts 3). */
export function findRepository(
  host: Host,
  workspaceKey: string,
  repositoryKey: string,
): { repository: Repository; moved: boolean } | undefined {
  const anywhere = workspaceKey === '{}';
  const workspace = anywhere ? undefined : findWorkspace(host, workspaceKey);
  if (workspace === undefined && !anywhere) return undefined;
  // Slugs and uuids are kept in lower case.
  const key = repositoryKey.toLowerCase();
  const { repositories } = host.world;
  const isHere = (entry: Repository): boolean =>
    !entry.deleted && (anywhere || entry.workspace === workspace);
  const exact = repositories.find((entry) => (entry.slug === key || entry.uuid === key) && isHere(entry));
  if (exact !== undefined) return { repository: exact, moved: false };
  const former = repositories.find((entry) => entry.formerSlugs.includes(key) && isHere(entry));
  return former === undefined ? undefined : { repository: former, moved: true };
}

/** A moved repository answers 301 to its new address (facts 4.4). */
function redirect(host: Host, call: Call, repository: Repository): never {
  const old = `/repositories/${call.params.workspace}/${call.params.repository}`;
  const path = decodeURI(call.base.slice(host.urls.api.length));
  const rest = path.toLowerCase().startsWith(old.toLowerCase()) ? path.slice(old.length) : '';
  const text = call.query.toString();
  refuse(
    emptyReply(301, {
      location: `${host.urls.api}/repositories/${fullName(repository)}${encodeURI(rest)}${text === '' ? '' : `?${text}`}`,
    }),
  );
}

export function visible(actor: Actor, repository: Repository): boolean {
  return repositoryRight(actor, repository) !== null;
}

/** The repository of a path; 404 when it is missing or not visible, which look the same. */
export function repositoryOf(host: Host, call: Call): Repository {
  const found = findRepository(host, call.params.workspace ?? '', call.params.repository ?? '');
  if (found === undefined || !visible(call.actor, found.repository)) refuse(noRepository());
  if (found.moved) redirect(host, call, found.repository);
  return found.repository;
}

export function pullRequestOf(repository: Repository, call: Call): PullRequest {
  const text = call.params.id ?? '';
  const pullRequest = /^\d+$/.test(text) ? repository.pullRequests.get(Number(text)) : undefined;
  return pullRequest ?? refuse(notFound(`Pull request ${text} not found`));
}

/** The repository of a path for those with a right in it; 403 for others who see it. */
export function repositoryWith(host: Host, call: Call, right: 'write' | 'admin'): Repository {
  const repository = repositoryOf(host, call);
  const own = repositoryRight(call.actor, repository);
  if (own === 'admin' || (right === 'write' && own === 'write')) return repository;
  return refuse(needsAdmin());
}
