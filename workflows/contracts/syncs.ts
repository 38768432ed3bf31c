import type { Service } from '../words.ts';
import type { OfRepository } from './tenant.ts';

/** Rows of syncs. Queue: ingestion. */
export interface SyncActivities {
  /**
   * Makes the rows of a sync, with what was missed while nothing was fetched (repeatable). `busy`: a run reads the
   * repository. `not_wanted`: there is nothing to bring up to date, or not now: then it is remembered as missed.
   */
  beginSync(
    input: OfRepository & { syncId: string; services: Service[] },
  ): Promise<
    { outcome: 'begun'; fullName: string } | { outcome: 'busy' } | { outcome: 'not_wanted'; why: string }
  >;
  /**
   * Writes how the repository fares by the outcome of its sync; what that took up is missed again unless it completed.
   * `parked`: after a failure, until then (ISO time).
   */
  finishSync(input: OfRepository & { syncId: string; firstParkedMs: number; mostParkedMs: number }): Promise<{
    state: 'completed' | 'failed' | 'cancelled';
    parked: { failures: number; until: string } | null;
  }>;
}
