import type { Repository } from '../model/entities.ts';
import type { Person } from '../model/people.ts';
import type { PullRequest } from '../model/pullRequest.ts';
import type { Host } from '../rest/host.ts';
import { findRepository } from '../rest/resolve.ts';
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
