import type { Database } from '../../db/client.ts';
import { leavesLinksOut } from '../../db/queries/pullRequestCommits.ts';
import type { StreamActivities } from '../../workflows/contracts/streams.ts';
import { linkPullRequestCommits } from './linkPullRequestCommits.ts';

export interface CommitRun {
  database: Database;
  scope: Parameters<StreamActivities['linkCommits']>[0];
  signal: AbortSignal;
  /** something was done: the deadline of the next step begins */
  onProgress: () => void;
}

/**
 * Links behind commits that are read without pull requests, as after a push: one that was stored as merged before its
 * merge commit came is no news to any list, so no later run would look at it. Not where this import reads pull requests
 * too, which links behind both, nor where they are switched off. Without a request, as all links are.
 */
export async function linkBehindCommits({ database, scope, signal, onProgress }: CommitRun): Promise<void> {
  const isLeftOut = await database.read(scope.organizationId, (tx) => leavesLinksOut(tx, scope));
  if (!isLeftOut) return;
  await linkPullRequestCommits({ database, scope, all: scope.mode === 'full', signal, onProgress });
}
