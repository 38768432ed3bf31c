import type { Database, Transaction } from '../../db/client.ts';
import {
  commitParentsAfter,
  isHistoryRead,
  mergesToLink,
  storeLinks,
  type MergedPullRequest,
  type PullRequestLinks,
} from '../../db/queries/pullRequestCommits.ts';
import type { RepositoryScope } from '../../db/queries/upsert.ts';
import { createCommitGraph, type CommitGraph } from './commitGraph.ts';

export interface LinkRun {
  database: Database;
  scope: RepositoryScope;
  /** every merged pull request, not only those without links */
  all: boolean;
  signal: AbortSignal;
  /** something was done: the deadline of the next step begins */
  onProgress: () => void;
}

const PULL_REQUESTS_AT_ONCE = 500;
const COMMITS_AT_ONCE = 5_000;

/**
 * Links merged pull requests to their commits, without a request, from the history that git gave:
 * a merge commit → what its second parent brought in; a squash → the merge commit itself; a fast-forward leaves no trace
 * of where it began → none. A merge commit that is not stored (yet) is tried again next time, as is one whose history
 * ends too early while only part of it is read; once it is read to its end, a parent that is not there never comes
 * (it is in quarantine, or the host has lost it), and what is there counts.
 * Repeatable: the same history gives the same links, so that a crash costs nothing. Returns how many links were added.
 */
export async function linkPullRequestCommits(run: LinkRun): Promise<number> {
  const { database, scope, all, signal, onProgress } = run;
  const inTransaction = <T>(work: (tx: Transaction) => Promise<T>) =>
    database.transaction(scope.organizationId, work);
  let history: History | undefined;
  let added = 0;
  for (let after = 0; ; ) {
    signal.throwIfAborted();
    const range = { all, after, limit: PULL_REQUESTS_AT_ONCE };
    const merged = await inTransaction((tx) => mergesToLink(tx, scope, range));
    const last = merged.at(-1);
    if (last === undefined) return added;
    // Read only where there is a merge to look into: a sync mostly finds none.
    if (history === undefined && merged.some(({ merge }) => (merge?.parents ?? 0) > 1)) {
      // Asked first: what is read to its end now is all in the graph.
      const isPartial = !(await inTransaction((tx) => isHistoryRead(tx, scope)));
      history = { graph: await readGraph(run), isPartial };
    }
    const links = merged.flatMap((one) => linksOf(one, history) ?? []);
    if (links.length > 0) added += await inTransaction((tx) => storeLinks(tx, scope, links));
    after = last.number;
    onProgress();
  }
}

interface History {
  graph: CommitGraph;
  isPartial: boolean;
}

/** Undefined: its merge commit is not known, or not yet what that brought in. */
function linksOf({ number, merge }: MergedPullRequest, history?: History): PullRequestLinks | undefined {
  if (merge === null) return undefined;
  // A fast-forward, even where its tip is a merge: of the destination into the source.
  if (merge.isSource) return { number, source: 'unknown', hashes: [] };
  if (merge.parents > 1) {
    const hashes = history?.graph.side(merge.hash, history);
    if (hashes !== undefined) return { number, source: 'merge_commit', hashes };
    if (history?.isPartial === true) return undefined;
  } else if (merge.parents === 1) {
    return { number, source: 'squash', hashes: [merge.hash] };
  }
  return { number, source: 'unknown', hashes: [] };
}

async function readGraph({ database, scope, signal, onProgress }: LinkRun): Promise<CommitGraph> {
  const graph = createCommitGraph();
  for (let after = ''; ; ) {
    signal.throwIfAborted();
    const page = await database.transaction(scope.organizationId, (tx) =>
      commitParentsAfter(tx, scope, { after, limit: COMMITS_AT_ONCE }),
    );
    for (const { hash, parents } of page) graph.add(hash, parents);
    const last = page.at(-1);
    if (last === undefined || page.length < COMMITS_AT_ONCE) return graph.build();
    after = last.hash;
    onProgress();
  }
}
