import { setTimeout as sleep } from 'node:timers/promises';
import type { Removal } from '../../workflows/contracts/removal.ts';
import type { RunControl } from './runControl.ts';

const LOOK_EVERY_MS = 500;

/**
 * Asks the runs that work for what is removed to end, waits, and terminates those that have not when the grace is over.
 * Of an integration's runs those of single repositories are not asked: their import tells them, and one that another
 * integration's import wants too goes on for that one.
 */
export async function endRuns(
  runs: RunControl,
  removal: Removal,
  {
    graceMs,
    signal,
    lookEveryMs = LOOK_EVERY_MS,
  }: { graceMs: number; signal: AbortSignal; lookEveryMs?: number },
): Promise<{ terminated: number }> {
  const isToldByItsImport = (id: string): boolean =>
    removal.integrationId !== undefined && /^repository\/.+\/import$/.test(id);
  const asked = new Set<string>();
  const terminated = new Set<string>();
  const endsMs = performance.now() + graceMs;
  for (;;) {
    const running = await runs.running(removal);
    if (running.length === 0) return { terminated: terminated.size };
    if (performance.now() < endsMs) {
      for (const id of running.filter((one) => !asked.has(one) && !isToldByItsImport(one))) {
        asked.add(id);
        await runs.cancel(id);
      }
    } else {
      for (const id of running) {
        terminated.add(id);
        await runs.terminate(id, 'What it works for is being removed');
      }
    }
    await sleep(lookEveryMs, undefined, { signal });
  }
}
