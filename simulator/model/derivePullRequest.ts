import { collectParticipants } from './generatePullRequest.ts';
import type { PullRequestGit } from './gitColumns.ts';
import type { Person } from './people.ts';
import type { Activity, PullRequest } from './pullRequest.ts';
import { SECOND } from './time.ts';

/**
 * The pull request behind a merge commit of a real history: texts, people, dates and hashes are git's own.
 * Whoever merged what somebody else wrote counts as its reviewer and approver.
 */
export function derivePullRequest(
  number: number,
  git: PullRequestGit,
  personOf: (name: string, email: string) => Person,
): PullRequest {
  const author = git.author === undefined ? null : personOf(git.author.name, git.author.email);
  const merger = git.mergedBy === undefined ? author : personOf(git.mergedBy.name, git.mergedBy.email);
  const mergedOn = git.merged ?? git.lastCommit;
  const createdOn = Math.min(git.lastCommit, mergedOn);
  const title = git.title ?? `Merge ${git.branch}`;
  const description = git.description ?? '';
  const reviewers = merger !== null && merger.uuid !== author?.uuid ? [merger] : [];
  const base = { title, description, draft: false, reviewers, reason: '' };
  const activity: Activity[] = [
    {
      kind: 'update',
      at: createdOn,
      update: { ...base, state: 'OPEN', changes: {}, person: author, date: createdOn },
    },
  ];
  for (const person of reviewers) {
    activity.push({ kind: 'approval', at: Math.max(createdOn, mergedOn - SECOND), person });
  }
  const changes = { status: { old: 'open', new: 'fulfilled' } };
  activity.push({
    kind: 'update',
    at: mergedOn,
    update: { ...base, state: 'MERGED', changes, person: merger, date: mergedOn },
  });
  return {
    number,
    title,
    description,
    state: 'MERGED',
    draft: false,
    author,
    closedBy: merger,
    reason: '',
    createdOn,
    updatedOn: mergedOn,
    source: { branch: git.branch, hash: git.sourceHash, repository: 'here' },
    destination: { branch: git.destinationBranch, hash: git.destinationHash, repository: 'here' },
    mergeHash: git.mergeHash,
    closeSourceBranch: true,
    taskCount: 0,
    reviewers,
    participants: collectParticipants(reviewers, activity),
    comments: [],
    activity,
  };
}
