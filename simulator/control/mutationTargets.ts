import type { Project, Repository, Workspace } from '../model/entities.ts';
import type { Person } from '../model/people.ts';
import type { PullRequest } from '../model/pullRequest.ts';
import type { Host } from '../rest/host.ts';
import { findRepository, findWorkspace } from '../rest/resolve.ts';
import { MutationError } from './mutation.ts';

/** `workspace/slug` or a uuid; deleted ones too by uuid. */
export function repositoryFor(host: Host, key: string): Repository {
  const [workspace = '', slug = ''] = key.split('/');
  const found =
    host.world.repositories.find((entry) => entry.uuid === key) ??
    findRepository(host, workspace, slug)?.repository;
  if (found === undefined) throw new MutationError(`no repository ${key}`);
  return found;
}

/** By slug or uuid. */
export function workspaceFor(host: Host, key: string): Workspace {
  const found = findWorkspace(host, key);
  if (found === undefined) throw new MutationError(`no workspace ${key}`);
  return found;
}

/** By key; the workspace's first when none is named. */
export function projectFor(workspace: Workspace, key: string | undefined): Project {
  const found = workspace.projects.find((entry) => key === undefined || entry.key === key);
  if (found === undefined) throw new MutationError(`no project ${key ?? ''} in ${workspace.slug}`);
  return found;
}

/** By uuid, account id, username, or the name of a cast member. Null is nobody. */
export function personFor(host: Host, key: string | null): Person | null {
  if (key === null) return null;
  const cast: Record<string, Person> = { ...host.world.cast };
  const found = cast[key] ?? host.world.person(key);
  if (found === undefined) throw new MutationError(`no user ${key}`);
  return found;
}

export function pullRequestFor(repository: Repository, number: number): PullRequest {
  const found = repository.pullRequests.get(number);
  if (found === undefined) throw new MutationError(`no pull request ${number} in ${repository.slug}`);
  return found;
}
