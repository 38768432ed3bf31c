import { setTimeout as sleep } from 'node:timers/promises';
import { inspect } from 'node:util';

export interface WaitOptions<T> {
  /** What is waited for, for the message: `the import is completed`. */
  readonly what: string;
  /** Reads the present state. What it throws counts as "not yet" and is shown at the end. */
  readonly read: () => Promise<T> | T;
  readonly until: (state: T) => boolean;
  /** 45 s unless told: by then whatever is waited for hangs, also on a slow machine. Who means less says so. */
  readonly timeoutMs?: number;
  /**
   * Between two reads. Unless told, a tenth of what was waited already, 20 to 250 ms: reading takes from what is waited
   * for. A moment that passes is to be asked for more often.
   */
  readonly intervalMs?: number;
}

const SHORTEST_MS = 20;
const LONGEST_MS = 250;
/** A pause that lasts so much longer than asked for: the machine stood still, and what is waited for with it. */
const STANDSTILL_MS = 10_000;
const HANGS_MS = 45_000;

/**
 * Reads a state again and again until it is as wished, and returns it. Throws an Error with the last state seen when
 * the time is up; where none is named, what the machine stood still is no part of it.
 *
 * @example
 * const row = await waitFor({ what: 'the import is completed', read: readImport, until: (r) => r.state === 'completed' });
 */
export async function waitFor<T>(options: WaitOptions<T>): Promise<T> {
  const { what, read, until, timeoutMs = HANGS_MS, intervalMs } = options;
  const isPromise = options.timeoutMs !== undefined;
  let started = performance.now();
  for (;;) {
    let last: unknown;
    try {
      const state = await read();
      if (until(state)) return state;
      last = state;
    } catch (error) {
      last = error;
    }
    const waited = performance.now() - started;
    if (waited >= timeoutMs) {
      throw new Error(
        `Waited ${timeoutMs / 1000} s in vain until ${what}. The last state was: ${inWords(last)}`,
      );
    }
    const pauseMs = intervalMs ?? Math.min(LONGEST_MS, Math.max(SHORTEST_MS, waited / 10));
    const pausedAt = performance.now();
    await sleep(pauseMs);
    const lateMs = performance.now() - pausedAt - pauseMs;
    if (!isPromise && lateMs > STANDSTILL_MS) started += lateMs;
  }
}

const inWords = (state: unknown): string =>
  state instanceof Error ? (state.stack ?? state.message) : inspect(state, { depth: 6, breakLength: 120 });
