import { fullName, type Repository } from '../model/entities.ts';
import type { Person } from '../model/people.ts';
import type { Comment, PullRequest } from '../model/pullRequest.ts';
import type { PullRequestRow } from '../model/pullRequests.ts';
import type { FilterField, FilterFields } from '../http/filter.ts';

/** A pull request while a list is filtered: its columns at once, the rest made only when a field asks. */
export interface Candidate extends PullRequestRow {
  repository: Repository;
}

function made(candidate: Candidate): PullRequest {
  const pullRequest = candidate.repository.pullRequests.get(candidate.number);
  if (pullRequest === undefined) throw new RangeError(`no pull request ${candidate.number}`);
  return pullRequest;
}

function people(prefix: string, of: (candidate: Candidate) => (Person | null)[]): FilterFields<Candidate> {
  const field = (read: (person: Person) => string): FilterField<Candidate> => ({
    type: 'text',
    of: (candidate) => of(candidate).flatMap((person) => (person === null ? [] : [read(person)])),
  });
  return {
    [`${prefix}.uuid`]: field((person) => person.uuid),
    [`${prefix}.nickname`]: field((person) => person.nickname),
    [`${prefix}.account_id`]: field((person) => person.accountId),
    [`${prefix}.display_name`]: field((person) => person.displayName),
  };
}

/** What the pull request list filters and sorts by (facts 3.3); `participants.*` is refused there too. */
export const PULL_REQUEST_FIELDS: FilterFields<Candidate> = {
  id: { type: 'number', of: (candidate) => candidate.number },
  state: { type: 'text', of: (candidate) => candidate.state },
  created_on: { type: 'moment', of: (candidate) => candidate.createdOn },
  updated_on: { type: 'moment', of: (candidate) => candidate.updatedOn },
  title: { type: 'text', of: (candidate) => made(candidate).title },
  description: { type: 'text', of: (candidate) => made(candidate).description },
  draft: { type: 'boolean', of: (candidate) => made(candidate).draft },
  ...people('author', (candidate) => [made(candidate).author]),
  ...people('reviewers', (candidate) => made(candidate).reviewers),
  'source.branch.name': { type: 'text', of: (candidate) => made(candidate).source.branch },
  'destination.branch.name': { type: 'text', of: (candidate) => made(candidate).destination.branch },
  'source.repository.full_name': {
    type: 'text',
    of: (candidate) => (made(candidate).source.repository === 'gone' ? null : fullName(candidate.repository)),
  },
};

export const COMMENT_FIELDS: FilterFields<Comment> = {
  id: { type: 'number', of: (comment) => comment.id },
  created_on: { type: 'moment', of: (comment) => comment.createdOn },
  updated_on: { type: 'moment', of: (comment) => comment.updatedOn },
  deleted: { type: 'boolean', of: (comment) => comment.deleted },
  'user.uuid': { type: 'text', of: (comment) => comment.person?.uuid ?? null },
};
