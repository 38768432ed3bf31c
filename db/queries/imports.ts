import { sql } from 'drizzle-orm';
import type { ImportState } from '../../workflows/words.ts';
import type { Transaction } from '../client.ts';
import { progressCountsOf } from './importTotals.ts';

/** Rows of imports. Every function runs inside a transaction of the tenant. */

/** Marks a pending import as running. False: it runs already, or has ended, or is gone. */
export async function startImport(tx: Transaction, importId: string): Promise<boolean> {
  const rows = await tx.execute(sql`
    update imports set state = 'running', started_at = clock_timestamp()
    where id = ${importId} and state = 'pending' returning id`);
  return rows.length > 0;
}

export interface ImportTotals {
  total: number;
  completed: number;
  failed: number;
  requests: number;
  records: number;
}

/**
 * Rolls the import's totals up from its repositories and streams. While it runs, its state is that of the repositories
 * in hand: limited when all that are in hand wait for a limit, and so on. A person's pause stays until resumed.
 *
 * Its row is locked before anything is counted: of two repositories that come to wait at the same moment, each would
 * otherwise count the other as running, and the import said so until the next look.
 */
export async function rollUp(tx: Transaction, importId: string): Promise<ImportTotals> {
  await tx.execute(sql`select from imports where id = ${importId} for no key update`);
  const [row] = await tx.execute<ImportTotals & Record<string, unknown>>(sql`
    with hand as (
      select count(*) as total,
        count(*) filter (where state = 'completed') as completed,
        count(*) filter (where state = 'failed') as failed,
        bool_or(state = 'running') as running,
        bool_or(state = 'rate_limited') as limited,
        bool_or(state = 'needs_credential') as refused,
        min(waiting_since) filter (where state in ('rate_limited', 'needs_credential')) as since,
        min(waiting_until) filter (where state in ('rate_limited', 'needs_credential')) as until,
        (array_agg(waiting_reason order by waiting_until)
          filter (where state in ('rate_limited', 'needs_credential')))[1] as reason
      from import_repositories where import_id = ${importId}
    ), read as (
      select coalesce(sum(stored), 0) as records, coalesce(sum(requests), 0) as requests
      from ${progressCountsOf(importId)} p
    ), now as (
      select hand.*, read.*, case when running then 'running' when limited then 'rate_limited'
        when refused then 'needs_credential' end as state
      from hand, read
    )
    update imports i set
      repositories_completed = now.completed, repositories_failed = now.failed,
      records = now.records, requests = now.requests,
      state = case when i.state in ('running', 'rate_limited', 'needs_credential')
        then coalesce(now.state, i.state) else i.state end,
      waiting_since = case when i.state = 'paused' then i.waiting_since
        when now.state in ('rate_limited', 'needs_credential') then now.since end,
      waiting_until = case when i.state = 'paused' then null when now.state in ('rate_limited', 'needs_credential') then now.until end,
      waiting_reason = case when i.state = 'paused' then i.waiting_reason
        when now.state in ('rate_limited', 'needs_credential') then now.reason end
    from now where i.id = ${importId}
    returning now.total::float8 as total, now.completed::float8 as completed, now.failed::float8 as failed,
      now.requests::float8 as requests, now.records::float8 as records`);
  return row ?? { total: 0, completed: 0, failed: 0, requests: 0, records: 0 };
}

/** True: the state is another one than before. An import that ended stays as it is. */
export async function updateImportState(
  tx: Transaction,
  input: {
    importId: string;
    state: ImportState;
    until: string | null;
    why: string | null;
    byPerson: boolean;
  },
): Promise<boolean> {
  const rows = await tx.execute(sql`
    update imports set state = ${input.state},
      waiting_since = case when ${input.state} = 'running' then null else clock_timestamp() end,
      waiting_until = ${input.until}::timestamptz, waiting_reason = ${input.why}
    where id = ${input.importId} and finished_at is null and state <> ${input.state}
      and (paused_by_person_at is not null) = ${input.byPerson}
    returning id`);
  return rows.length > 0;
}

/** The import's last state, and whether this call ended it. `undefined`: it is gone. */
export async function endImport(
  tx: Transaction,
  input: { importId: string; cancelled: boolean },
): Promise<{ state: ImportState; ended: boolean } | undefined> {
  const [ended] = await tx.execute<{ state: ImportState }>(sql`
    update imports i set
      -- Who was told that it is being cancelled, while its end was on the way here, is not told that it completed.
      state = case when ${input.cancelled} or i.cancel_requested_at is not null then 'cancelled'
        when exists (select from import_repositories ir where ir.import_id = i.id and ir.state = 'failed')
        then 'completed_with_failures'
        -- Cancelled without the import are those that were removed meanwhile: that is no failure.
        when exists (select from import_repositories ir where ir.import_id = i.id and ir.state = 'cancelled')
          and not exists (select from import_repositories ir where ir.import_id = i.id and ir.state = 'completed')
        then 'cancelled' else 'completed' end,
      finished_at = clock_timestamp(), waiting_since = null, waiting_until = null, waiting_reason = null,
      paused_by_person_at = null
    where i.id = ${input.importId} and i.finished_at is null
    returning i.state`);
  if (ended !== undefined) return { state: ended.state, ended: true };
  const [known] = await tx.execute<{ state: ImportState }>(
    sql`select state from imports where id = ${input.importId}`,
  );
  return known === undefined ? undefined : { state: known.state, ended: false };
}
