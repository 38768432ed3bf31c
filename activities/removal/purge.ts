import type { Database } from '../../db/client.ts';
import type { PurgeActivities, Removal } from '../../workflows/contracts/removal.ts';
import type { CloneFolder } from '../git/cloneFolder.ts';
import { withHeartbeats } from '../heartbeats.ts';
import { purgeIntegration } from './purgeIntegration.ts';
import { type PurgeRun, ROWS_A_TRANSACTION } from './purgeOwner.ts';
import { purgeRepository } from './purgeRepository.ts';

/** An activity goes on for so long; then its workflow, and so an operator, sees where it stands. */
const MOST_MS = 120_000;

export type CreateRun = (removal: Removal, signal: AbortSignal) => PurgeRun;

/** What an activity needs to remove rows, and when it stops: after a while, or when it is cancelled. */
export const createRuns =
  (
    database: Database,
    {
      rowsATransaction = ROWS_A_TRANSACTION,
      maxMs = MOST_MS,
    }: { rowsATransaction?: number; maxMs?: number } = {},
  ): CreateRun =>
  (removed, signal) => {
    const endsMs = performance.now() + maxMs;
    return {
      database,
      removed,
      rowsATransaction,
      isOver() {
        signal.throwIfAborted();
        return performance.now() > endsMs;
      },
    };
  };

/** Removes rows and clones. */
export function createPurgeActivities({
  createRun,
  clones,
}: {
  createRun: CreateRun;
  clones: Pick<CloneFolder, 'remove'>;
}): PurgeActivities {
  return {
    purgeRows: (removal) =>
      withHeartbeats(async (signal) => {
        const run = createRun(removal, signal);
        const { organizationId, integrationId, repositoryId } = removal;
        const done =
          repositoryId === undefined
            ? await purgeIntegration(run, { organizationId, integrationId }, clones)
            : await purgeRepository(run, { organizationId, repositoryId }, clones);
        return { done };
      }),
  };
}
