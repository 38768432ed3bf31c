import { setTimeout as sleep } from 'node:timers/promises';
import { inspect } from 'node:util';

export interface WaitOptions<T> {
  /** What is waited for, for the message: `the import is completed`. */
  readonly what: string;
  /** Reads the present state. What it throws counts as "not yet" and is shown at the end. */
  readonly read: () => Promise<T> | T;
  readonly until: (state: T) => boolean;
  /** 10 s unless told. */
  readonly timeoutMs?: number;
  /** 50 ms unless told. */
  readonly intervalMs?: number;
}

/**
 * Reads a state again and again until it is as wished, and returns it. Throws an Error with the last state seen when
 * the time is up.
 *
 * @example
 * const row = await waitFor({ what: 'the import is completed', read: readImport, until: (r) => r.state === 'completed' });
 */
export async function waitFor<T>(options: WaitOptions<T>): Promise<T> {
  const { what, read, until, timeoutMs = 10_000, intervalMs = 50 } = options;
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    let last: string;
    try {
      const state = await read();
      if (until(state)) return state;
      last = inspect(state, { depth: 6, breakLength: 120 });
    } catch (error) {
      last = error instanceof Error ? (error.stack ?? error.message) : inspect(error);
    }
    if (Date.now() >= deadline) {
      throw new Error(`Waited ${timeoutMs / 1000} s in vain until ${what}. The last state was: ${last}`);
    }
    await sleep(intervalMs);
  }
}
