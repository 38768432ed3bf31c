import { createHash } from 'node:crypto';

/** When an integration's next discovery is due. */
export interface DiscoveryPlan {
  integrationId: string;
  /** milliseconds between two discoveries; 0: none come by themselves */
  intervalMs: number;
  /** two lists that agree on what is gone must be so far apart */
  goneAfterMs: number;
}

/** How the last one was (`readDiscoveryAge`). */
interface LastDiscovery {
  sinceMs: number | null;
  failed: boolean;
  missedForMs: number | null;
}

/** One that failed is tried again sooner: what it would have found is waited for. */
const AFTER_FAILURE_MS = 60 * 60_000;
/** Discoveries of many integrations that began together come apart by so much of the interval. */
const SPREAD = 0.1;

/**
 * Whether a poll round begins a discovery. What was found missing is looked for once more as soon as that can prove
 * something, instead of an interval later.
 */
export function isDiscoveryDue(
  plan: DiscoveryPlan,
  { sinceMs, failed, missedForMs }: LastDiscovery,
): boolean {
  const { integrationId, intervalMs, goneAfterMs } = plan;
  if (intervalMs === 0) return false;
  if (sinceMs === null || sinceMs >= intervalMs * (1 - SPREAD * shareOf(integrationId))) return true;
  if (failed) return sinceMs >= AFTER_FAILURE_MS;
  return missedForMs !== null && missedForMs >= goneAfterMs;
}

/** Between 0 and 1, the same for the same integration. */
const shareOf = (integrationId: string): number =>
  createHash('sha256').update(integrationId).digest().readUInt32BE(4) / 2 ** 32;
