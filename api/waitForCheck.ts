import { setTimeout as sleep } from 'node:timers/promises';
import { type CheckRow, isOutcomeOpen, readCheck } from '../db/queries/api/checks.ts';
import type { ApiEnv } from './dependencies.ts';
import { notFound } from './problem.ts';

const DEFAULT_WAIT_MS = 10_000;

/**
 * Reads the check's row until it is done, at most 10 s (design section 5.1). Gives back the row as it is then: still
 * `running` means that the caller answers 202.
 */
export async function waitForCheck(
  {
    dependencies,
    principal,
  }: Pick<ApiEnv['Variables'], 'dependencies'> & { principal: { organizationId: string } },
  checkId: string,
  signal: AbortSignal,
): Promise<CheckRow> {
  const { database, checkWaitMs = DEFAULT_WAIT_MS } = dependencies;
  const deadline = Date.now() + checkWaitMs;
  for (let pauseMs = 50; ; pauseMs = Math.min(pauseMs * 1.5, 400)) {
    const { row, taken } = await database.transaction(principal.organizationId, async (tx) => {
      const found = await readCheck(tx, checkId);
      // The integration takes the outcome a moment after the check: the caller's next command must find it taken.
      const waits =
        found !== null &&
        found.integrationId !== null &&
        (await isOutcomeOpen(tx, found.integrationId, found));
      return { row: found, taken: !waits };
    });
    if (row === null) throw notFound('connection check');
    const over = signal.aborted || Date.now() + pauseMs > deadline;
    if ((row.state === 'done' && taken) || over) return row;
    await sleep(pauseMs);
  }
}
