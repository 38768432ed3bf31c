import type { Transaction } from '../../db/client.ts';
import { type CommitsStand, readCommitsStand } from '../../db/queries/listedCommits.ts';
import { hidesCommits, readReachable } from '../../db/queries/unreachable.ts';
import type { RepositoryScope } from '../../db/queries/upsert.ts';

interface Outlook extends CommitsStand {
  /** what is missing and to be asked for */
  open: string[];
  /** a commit in quarantine is not stored: what it leads to is named by nobody, so it would not be missing */
  hides: boolean;
}

/**
 * What is left to ask the host for, as Postgres knows it. `unknown`: it said in this walk that it does not know them;
 * `lost`: it said so of a parent in an import before. Such a one is asked for again where a branch or tag leads to it:
 * its branch may have come back. The marks do not say so yet: they are set at the end of a walk.
 */
export async function readOutlook(
  tx: Transaction,
  scope: RepositoryScope,
  { lost, unknown }: { lost: readonly string[]; unknown: readonly string[] },
): Promise<Outlook> {
  const stand = await readCommitsStand(tx, scope);
  const stillLost = without(lost, await readReachable(tx, scope, lost));
  return {
    ...stand,
    open: without(stand.missing, [...stillLost, ...unknown]),
    hides: await hidesCommits(tx, scope),
  };
}

/** The hashes that are not among the others, each once. */
export function without(hashes: readonly string[], others: readonly string[]): string[] {
  const left = new Set(hashes);
  for (const hash of others) left.delete(hash);
  return [...left];
}
