import { sql } from 'drizzle-orm';
import type { Finding } from '../../../workflows/words.ts';
import type { Transaction } from '../../client.ts';

export interface PollingRow extends Record<string, unknown> {
  effectiveIntervalMs: number | null;
  lastStartedAt: string | null;
  lastFinishedAt: string | null;
  requests: number;
  found: number;
  lastError: Finding | null;
  /** when the repository was looked at by itself that has waited for longest; null: nothing is kept current */
  rotatedSince: string | null;
}

/** How an integration is polled; `null`: no round has begun yet. */
export async function readPolling(tx: Transaction, integrationId: string): Promise<PollingRow | null> {
  const [row] = await tx.execute<PollingRow>(sql`
    select p.effective_interval_ms as "effectiveIntervalMs", p.last_started_at as "lastStartedAt",
      p.last_finished_at as "lastFinishedAt", p.requests, p.found, p.last_error as "lastError",
      (select min(h.looked_at) from repository_health h
        where h.integration_id = p.integration_id and h.imported) as "rotatedSince"
    from integration_polls p where p.integration_id = ${integrationId}`);
  return row ?? null;
}
