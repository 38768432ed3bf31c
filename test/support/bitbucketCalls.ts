import type { FakeBitbucket } from './fakeBitbucket.ts';
import { waitFor } from './waitFor.ts';

/** What workflows ask of the scripted Bitbucket: waiting for it, and keeping it from ending. */

interface Asked {
  bitbucket: Pick<FakeBitbucket, 'calls' | 'decide'>;
}

/** The calls of an activity so far, in order; `name` may go on with what it was called for: `importChunk <repository id>`. */
export const callsOf = ({ bitbucket }: Asked, name: string): string[] =>
  bitbucket.calls.filter((call) => call.startsWith(name));

/** Until an activity was called so often. */
export const untilCalled = (run: Asked, name: string, times = 1, timeoutMs?: number): Promise<number> =>
  waitFor({
    what: `${name} is called ${String(times)} times`,
    read: () => callsOf(run, name).length,
    until: (count) => count >= times,
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  });

/** Every chunk waits until what is given is called, and then is the last. */
export function holdChunks({ bitbucket }: Asked): () => void {
  let release = (): void => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  bitbucket.decide = (_id, cancelled) => Promise.race([held, cancelled]).then(() => ({ done: true }));
  return () => release();
}
