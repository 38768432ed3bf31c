import { condition } from '@temporalio/workflow';

/** A limit that is told lasts longer: a request waits so long for room by itself (`activities/bitbucket/client.ts`). */
const APART_MS = 5_000;

/** Waits until a time, or until `woken`; `summary` is what an operator reads of the durable timer. */
type LimitTimer = (untilMs: number, woken: () => boolean, summary: string) => Promise<void>;

/**
 * The timer of a run that meets limits of Bitbucket. When a limit ends is told by the clock of Postgres: where Temporal's
 * is ahead, it seems to be over while it lasts, and the run would ask without rest. So waits end five seconds apart at least.
 */
export function createLimitTimer(): LimitTimer {
  let endedAtMs = 0;
  return async (untilMs, woken, summary) => {
    const nowMs = Date.now();
    const waitMs = Math.max(1, untilMs - nowMs, endedAtMs + APART_MS - nowMs);
    await condition(woken, waitMs, { summary });
    endedAtMs = Date.now();
  };
}
