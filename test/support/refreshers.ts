import { fork, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { inject } from 'vitest';
import type { RefreshOrder, RefreshOutcome } from './refreshProcess.ts';

/** A process of its own that signs requests, and so renews tokens (`refreshProcess.ts`). */
export interface Refresher {
  order(order: RefreshOrder): Promise<RefreshOutcome>;
  /** As a crash: at once. Resolves when the process is gone. */
  kill(): Promise<void>;
  /** In order, with its connections. */
  end(): Promise<void>;
}

/** Starts one; resolves when it takes orders. */
export async function startRefresher(): Promise<Refresher> {
  const script = join(inject('servers').programs, 'test/support/refreshProcess.js');
  const child = fork(script, { execArgv: [], serialization: 'json' });
  const gone = new Promise<void>((resolve) => {
    child.once('exit', () => resolve());
  });
  await said(child);
  return {
    async order(order) {
      const outcome = said(child);
      child.send(order);
      return (await outcome) as RefreshOutcome;
    },
    async kill() {
      child.kill('SIGKILL');
      await gone;
    },
    async end() {
      if (child.connected) child.disconnect();
      await gone;
    },
  };
}

/** The next message of a process; throws when it ends first. */
function said(child: ChildProcess): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const ended = (code: number | null): void => reject(new Error(`the process ended with ${String(code)}`));
    child.once('exit', ended);
    child.once('message', (message) => {
      child.off('exit', ended);
      resolve(message);
    });
  });
}
