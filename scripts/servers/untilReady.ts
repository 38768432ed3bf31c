import { setTimeout as sleep } from 'node:timers/promises';
import { type ChildServer, describeExit } from './childProcess.ts';

const POLL_MS = 50;
/** A probe that got no answer for so long will get none: what took its connection may have gone since. */
const PROBE_MS = 10_000;

/** Thrown when a server ended, or its time was up, before it was ready. `lines` is the last it printed. */
export class ServerNotReady extends Error {
  override readonly name = 'ServerNotReady';
  readonly lines: readonly string[];

  constructor(what: string, why: string, lines: readonly string[]) {
    super(`${what} did not get ready: ${why}.${lines.length === 0 ? '' : `\n  ${lines.join('\n  ')}`}`);
    this.lines = lines;
  }
}

/** Resolves when the signal comes, with that in words; never without a signal. Listens until `done` comes. */
function givenUp(signal: AbortSignal | undefined, done: AbortSignal): Promise<string> {
  return new Promise((resolve) => {
    const stop = (): void => resolve('it was to stop before');
    if (signal?.aborted === true) stop();
    else signal?.addEventListener('abort', stop, { once: true, signal: done });
  });
}

async function inTime(probe: Promise<void>): Promise<void> {
  const over = new AbortController();
  const late = sleep(PROBE_MS, undefined, { signal: over.signal }).then(() => {
    throw new Error(`no answer within ${PROBE_MS / 1_000} s`);
  });
  late.catch(() => {});
  try {
    await Promise.race([probe, late]);
  } finally {
    over.abort();
  }
}

/**
 * Waits until `probe` passes without an error, and no longer than the server lives, `timeoutMs`, or `signal` comes.
 * Throws ServerNotReady with the reason and the server's last lines.
 */
export async function untilReady(
  what: string,
  server: Pick<ChildServer, 'exited' | 'lastLines'>,
  probe: () => Promise<void>,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  let why: string | undefined;
  // One signal is for all starts of a child: what listens for this one must go with it.
  const done = new AbortController();
  const ended = Promise.race([
    server.exited.then((exit) => `it ${describeExit(exit)}`),
    givenUp(signal, done.signal),
  ]).then((reason) => {
    why = reason;
  });
  let lastProblem = 'no probe was finished';
  try {
    while (why === undefined) {
      try {
        await Promise.race([inTime(probe()), ended]);
        if (why === undefined) return;
      } catch (error) {
        lastProblem = error instanceof Error ? error.message : String(error);
      }
      if (why === undefined && Date.now() > deadline) {
        why = `not within ${timeoutMs / 1000} s (${lastProblem})`;
      }
      await Promise.race([sleep(POLL_MS), ended]);
    }
  } finally {
    done.abort();
  }
  throw new ServerNotReady(what, why, server.lastLines());
}
