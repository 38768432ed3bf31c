import { setTimeout as sleep } from 'node:timers/promises';

/** By the clock: what is refused at once would use up any number of tries while the processes are still being started. */
const PATIENCE_MS = 10 * 60_000;

/** Repeats what fails while a process is being started again; throws an Error with the last failure after ten minutes. */
export async function patiently<T>(what: string, work: () => Promise<T>): Promise<T> {
  const endsMs = performance.now() + PATIENCE_MS;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (performance.now() > endsMs)
        throw new Error(`${what} did not succeed in ten minutes: ${String(error)}`, { cause: error });
      await sleep(1_000);
    }
  }
}
