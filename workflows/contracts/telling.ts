import type { PauseReason } from '../inputs.ts';
import type { OfIntegration } from './tenant.ts';

/** What all syncs under way are told; see the signals of these names. */
export type SyncsTold =
  | { signal: 'setPaused'; reason: PauseReason | null; version: number }
  | { signal: 'servicesChanged' };

/**
 * Signals to the runs of many repositories, some hundred in one go: their sender's history grows by three events for each
 * go, not by two for each repository. `after`: where the next go begins, null: the first does, or this was the last.
 * Queue: ingestion.
 */
export interface TellingActivities {
  /** Tells the next syncs that have not ended. A run that is not there is no harm: its row says so. */
  tellSyncs(
    input: OfIntegration & { after: string | null; told: SyncsTold },
  ): Promise<{ after: string | null }>;
  /** Has the next repositories that wait because they failed tried again at once. */
  wakeParked(input: OfIntegration & { after: string | null }): Promise<{ after: string | null }>;
}
