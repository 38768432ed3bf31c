import type { Finding } from '../words.ts';
import type { OfIntegration } from './tenant.ts';

/** The quarantine. Queue: ingestion; its records are in Postgres. */
export interface QuarantineActivities {
  /** Tries the next records of a retry again, from its place; `more`: there may be further ones. */
  retryQuarantined(
    input: OfIntegration & { retryId: string },
  ): Promise<{ more: boolean; tried: number; stored: number }>;
  finishQuarantineRetry(input: OfIntegration & { retryId: string; error: Finding | null }): Promise<void>;
}
