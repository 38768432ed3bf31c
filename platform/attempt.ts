import { AsyncLocalStorage } from 'node:async_hooks';

/**
 * An attempt of an activity is over for Temporal when its time has run out, and another one begins. A worker that was frozen
 * meanwhile knows nothing of it and goes on where it stood: what it would write is by now somebody else's to write.
 */
const ends = new AsyncLocalStorage<number>();

/** The attempt's time ran out before it could write. Nobody waits for its answer. */
export class AttemptOver extends Error {
  override readonly name = 'AttemptOver';
}

/** Runs an attempt that must have written everything `lastsMs` milliseconds from now. */
export const withinAttempt = <T>(lastsMs: number, work: () => Promise<T>): Promise<T> =>
  ends.run(performance.now() + lastsMs, work);

/** Runs what others wait for too, or what only this process holds, whoever's attempt began it. */
export const beyondAttempt = <T>(work: () => Promise<T>): Promise<T> =>
  ends.run(Number.POSITIVE_INFINITY, work);

/** Throws AttemptOver behind the end of the attempt that calls; outside of attempts nothing. */
export function mustBeInTime(): void {
  const endsMs = ends.getStore();
  if (endsMs !== undefined && performance.now() > endsMs) {
    throw new AttemptOver('The time of this attempt ran out; another one goes on.');
  }
}
