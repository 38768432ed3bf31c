import { collectParticipants } from '../model/generatePullRequest.ts';
import type { Repository } from '../model/entities.ts';
import type { Person } from '../model/people.ts';
import type { Activity, PullRequest, Update } from '../model/pullRequest.ts';
import type { Micros } from '../model/time.ts';
import { pullRequestFor } from './mutationTargets.ts';

/** Changes a pull request for good and returns it; the order of its activity and its participants follow. */
export function changePullRequest(
  repository: Repository,
  number: number,
  change: (pullRequest: PullRequest) => void,
): PullRequest {
  const found = pullRequestFor(repository, number);
  repository.pullRequests.change(number, (pullRequest) => {
    change(pullRequest);
    pullRequest.activity.sort((left, right) => left.at - right.at);
    pullRequest.participants = collectParticipants(pullRequest.reviewers, pullRequest.activity);
  });
  return found;
}

/** The activity's entry of an update: the pull request as it is now, and what changed. */
function updateEntry(
  pullRequest: PullRequest,
  at: Micros,
  person: Person | null,
  changes: Update['changes'],
): Activity {
  const { state, title, description, draft, reviewers, reason } = pullRequest;
  return {
    kind: 'update',
    at,
    update: { state, title, description, draft, reviewers, reason, person, changes, date: at },
  };
}

/** Adds the entry of an update and moves `updated_on` to it. */
export function noteUpdate(
  pullRequest: PullRequest,
  at: Micros,
  person: Person | null,
  changes: Update['changes'],
): void {
  pullRequest.updatedOn = at;
  pullRequest.activity.push(updateEntry(pullRequest, at, person, changes));
}
