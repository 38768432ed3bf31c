import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '../platform/log.ts';

export interface RepeatingOptions {
  /** One that consists of many steps asks between them whether it is to end. */
  round: (isStopped: () => boolean) => Promise<void>;
  /** of rest between two rounds */
  everyMs: number;
  log: Logger;
  /** logged with the error when a round fails */
  failed: string;
}

/**
 * Does something at once, and again behind each rest, whatever becomes of it. One round at a time, however long it takes:
 * none piles up behind a Postgres that does not answer, for a stop would have to wait for them. Answers how to stop: the
 * round in hand comes to its end, and no other begins.
 *
 * @example
 * const stop = startRepeating({ round: () => sweep(database), everyMs: 60_000, log, failed: 'It is tried again' });
 */
export function startRepeating({ round, everyMs, log, failed }: RepeatingOptions): () => Promise<void> {
  const stopping = new AbortController();
  const { signal } = stopping;

  async function run(): Promise<void> {
    while (!signal.aborted) {
      try {
        await round(() => signal.aborted);
      } catch (error) {
        if (!signal.aborted) log.warn({ error }, failed);
      }
      await sleep(everyMs, undefined, { signal }).catch(() => {});
    }
  }

  const running = run();
  return () => {
    stopping.abort();
    return running;
  };
}
