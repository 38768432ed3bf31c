import { sql } from 'drizzle-orm';
import type { Transaction } from '../client.ts';
import { liveProgressOf } from './sharedProgress.ts';

/**
 * Totals of an import. Tens of thousands of streams are too many to add up for each look: those of repositories that have
 * ended are counted in `import_totals`, and only the others are added up. Exact at any moment: a stream is settled and
 * counted in one statement, and taken out in the transaction of whatever changes it (migration 0022).
 */

const gap = sql`(s.records_expected - s.records_stored - s.quarantined - s.gone - s.not_permitted)`;

/** What streams `s` are told apart by, and what is counted of them, as `import_totals` has it. */
const KIND = sql`s.stream, s.state, (s.state = 'failed' and s.last_error ->> 'code' is not distinct from 'incomplete') as incomplete,
  coalesce(s.expected_basis, '') as basis, coalesce(s.method, '') as method`;
const COUNTS = sql`count(*) as streams, sum(s.records_stored) as stored, count(s.records_expected) as known,
  coalesce(sum(s.records_expected), 0) as expected, sum(s.quarantined) as quarantined, sum(s.gone) as gone,
  sum(s.not_permitted) as not_permitted`;
const GAPS = sql`coalesce(sum(greatest(0, ${gap})), 0) as missing, coalesce(sum(greatest(0, -${gap})), 0) as surplus,
  count(*) filter (where ${gap} = 0) as level`;
const COLUMNS = sql`stream, state, incomplete, basis, method, streams, stored, known, expected, quarantined, gone,
  not_permitted, requests, missing, surplus, level`;

/** The streams of the import itself, counted as a table. */
export const countsOf = (importId: string) => sql`(
  select ${COLUMNS} from import_totals where import_id = ${importId}
  union all
  select ${KIND}, ${COUNTS}, sum(s.requests) as requests, ${GAPS}
  from import_streams s where s.import_id = ${importId} and not s.settled group by 1, 2, 3, 4, 5)`;

/** Likewise with those of another import's run that it waits for, and with what is left and how fast it goes. */
export const progressCountsOf = (importId: string) => sql`(
  select ${COLUMNS}, 0::float8 as requests_left, 0::float8 as records_rate from import_totals where import_id = ${importId}
  union all
  select ${KIND}, ${COUNTS}, sum(s.own_requests) as requests, ${GAPS}, sum(s.requests_left) as requests_left,
    sum(s.records_rate) as records_rate
  from ${liveProgressOf(importId)} s group by 1, 2, 3, 4, 5)`;

/**
 * Counts the streams of repositories that have ended, for good unless one is tried again. `rates`: those that ended in the
 * last two minutes stay, since they still say how fast the import goes.
 */
export async function settleStreams(
  tx: Transaction,
  { importId, keep }: { importId: string; keep: 'rates' | 'none' },
): Promise<void> {
  await tx.execute(sql`
    with ended as materialized (
      -- Locked, so that none of them is tried again before its streams are counted: whoever does takes them out.
      select organization_id, import_id, repository_id from import_repositories
      where import_id = ${importId} and state in ('completed', 'failed', 'cancelled') and read_by is null
        and ${keep === 'none' ? sql`true` : sql`finished_at < clock_timestamp() - interval '2 minutes'`}
        and repository_id = any (array(
          select distinct repository_id from import_streams where import_id = ${importId} and not settled))
      order by repository_id for share
    ), settled as (
      update import_streams s set settled = true from ended r
      where not s.settled and r.organization_id = s.organization_id and r.import_id = s.import_id
        and r.repository_id = s.repository_id
      returning s.*
    )
    insert into import_totals as t (organization_id, import_id, ${COLUMNS})
    select s.organization_id, s.import_id, ${KIND}, ${COUNTS}, sum(s.requests), ${GAPS} from settled s
    group by 1, 2, 3, 4, 5, 6, 7
    order by 1, 2, 3, 4, 5, 6, 7
    on conflict (organization_id, import_id, stream, state, incomplete, basis, method) do update set
      streams = t.streams + excluded.streams, stored = t.stored + excluded.stored, known = t.known + excluded.known,
      expected = t.expected + excluded.expected, quarantined = t.quarantined + excluded.quarantined,
      gone = t.gone + excluded.gone, not_permitted = t.not_permitted + excluded.not_permitted,
      requests = t.requests + excluded.requests, missing = t.missing + excluded.missing,
      surplus = t.surplus + excluded.surplus, level = t.level + excluded.level`);
}
