import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import type { Database } from '../db/client.ts';
import { selectWaitedFor, stopWaiting, wakeWaiting } from '../db/queries/requestBudget.ts';
import type { Logger } from '../platform/log.ts';
import { allowanceFreed } from '../workflows/messages.ts';
import { startRepeating } from './repeat.ts';

const EVERY_MS = 2_000;

/**
 * Ends the waits of workflows for which the request budget has room earlier than they were told: the limit was raised,
 * another import of the account ended or was paused, the integration signs with another account. Every worker looks;
 * each wait is given to one of them, and again to any when its workflow did not come. Answers how to stop.
 */
export function startWaking(options: {
  database: Database;
  client: Client;
  log: Logger;
  everyMs?: number;
}): () => Promise<void> {
  const { database, client, log, everyMs = EVERY_MS } = options;
  return startRepeating({
    everyMs,
    log,
    failed: 'Waits for the request budget could not be looked at; tried again',
    async round(isStopped) {
      const woken = await wakeAll(database, client, isStopped);
      if (woken > 0) log.info({ workflows: woken }, 'Waits for the request budget ended early');
    },
  });
}

/** One look; how many were signalled. */
export async function wakeAll(
  database: Database,
  client: Client,
  isStopped = (): boolean => false,
): Promise<number> {
  const waiters = await markWoken(database, isStopped);
  await Promise.all(
    [...waiters].map(async (waiter) => {
      try {
        await client.workflow.getHandle(waiter).signal(allowanceFreed);
      } catch (error) {
        if (!(error instanceof WorkflowNotFoundError)) throw error;
        // It has ended, or was terminated: nobody comes for this turn.
        await database.statement((tx) => stopWaiting(tx, waiter));
      }
    }),
  );
  return waiters.size;
}

/** Ids of the workflows to signal. One window behind the other: the requests of each are held up by its own look only. */
export async function markWoken(database: Database, isStopped = (): boolean => false): Promise<Set<string>> {
  const woken = new Set<string>();
  for (const window of await database.statement((tx) => selectWaitedFor(tx))) {
    if (isStopped()) break;
    for (const waiter of await database.statement((tx) => wakeWaiting(tx, window))) woken.add(waiter);
  }
  return woken;
}
