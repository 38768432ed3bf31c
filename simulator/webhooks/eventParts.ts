import type { Repository } from '../model/entities.ts';
import type { Person } from '../model/people.ts';
import type { Comment, PullRequest } from '../model/pullRequest.ts';
import { formatMicros, type Micros } from '../model/time.ts';
import type { Host } from '../rest/host.ts';
import type { Json } from '../rest/json.ts';

/** What an event's body has besides `actor` and `repository`, as JSON by name (facts 5.4). */
export type EventParts = Record<string, Json>;

/** In webhooks a pull request has its reviewers, participants and rendered texts too. */
export function pullRequestPart(host: Host, repository: Repository, pullRequest: PullRequest): EventParts {
  const parts = { rendered: true, reviewers: true, participants: true };
  return { pullrequest: host.pullRequests.pullRequest(repository, pullRequest, parts) };
}

/** `approval` and `changes_request`: when, and whose. */
export function verdictPart(
  host: Host,
  name: 'approval' | 'changes_request',
  at: Micros,
  person: Person,
): EventParts {
  return { [name]: `{"date":"${formatMicros(at)}","user":${host.people.person(person)}}` };
}

export function commentPart(
  host: Host,
  repository: Repository,
  pullRequest: PullRequest,
  comment: Comment,
): EventParts {
  return { comment: host.pullRequests.comment(repository, pullRequest, comment) };
}

/** `changes` of `repo:updated`: only what changed, and links, which were recorded empty. */
export function changesPart(changes: Record<string, { old: unknown; new: unknown }>): EventParts {
  return { changes: JSON.stringify({ ...changes, links: { old: {}, new: {} } }) };
}
