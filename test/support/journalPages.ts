import type { JournalEntry } from '../../simulator/control/journal.ts';

/** A page of Bitbucket's lists that was answered well more than once. */
export interface Refetched {
  page: string;
  /** the repository's slug */
  repository: string;
  /** the cut (from 1) that lies between both requests; 0: none does */
  cut: number;
}

const REPOSITORY = /\/repositories\/[^/]+\/([^/?]+)\//;

/** A delay is no fault: its answer is whole. */
const isWhole = ({ status, fault }: JournalEntry): boolean =>
  status === 200 && (fault === null || fault === 'delay');

/**
 * What was fetched again, and which crash made it so. `cuts` are the journal's sequence numbers at which something
 * was killed, rising.
 */
export function refetchedPages(journal: readonly JournalEntry[], cuts: readonly number[]): Refetched[] {
  const fetched = new Map<string, number>();
  const again: Refetched[] = [];
  for (const entry of journal) {
    const { page, sequence } = entry;
    const repository = page === null ? undefined : REPOSITORY.exec(page)?.[1];
    if (page === null || repository === undefined || !isWhole(entry)) continue;
    const before = fetched.get(page);
    fetched.set(page, sequence);
    if (before === undefined) continue;
    const cut = cuts.findIndex((at) => before <= at && at < sequence) + 1;
    again.push({ page, repository, cut });
  }
  return again;
}
