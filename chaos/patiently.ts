import { setTimeout as sleep } from 'node:timers/promises';

/** Repeats what fails while a process is being started again. */
export async function patiently<T>(what: string, work: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await work();
    } catch (error) {
      if (tries === 60)
        throw new Error(`${what} did not succeed after ${tries} tries: ${String(error)}`, { cause: error });
      await sleep(1_000);
    }
  }
}
