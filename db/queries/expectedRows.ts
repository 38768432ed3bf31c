import { sql } from 'drizzle-orm';
import type { KnownOfRows, RowsOfStream } from '../../forecast/expectedRows.ts';
import type { StreamEstimate } from '../../forecast/repositoryEstimate.ts';
import type { Transaction } from '../client.ts';
import { liveProgressOf } from './sharedProgress.ts';

const isOpen = sql`s.stream in ('commits', 'pull_request_activity') and s.state not in ('healthy', 'unavailable', 'switched_off')`;

/**
 * `KnownOfRows` of a stream `s` of `import_streams`; null where it has ended or is announced. A few rows by their keys: it
 * is looked at for the repositories in hand. Commits have no watermark: they were read before where their stream succeeded.
 */
export const knownOfRows = sql`case when ${isOpen} then (
    select json_build_object('estimate', (
        select one -> 'records' from import_estimate_repositories e
        join import_estimates g on g.organization_id = e.organization_id and g.id = e.estimate_id
        cross join lateral jsonb_array_elements(e.result -> 'streams') one
        where e.organization_id = s.organization_id and e.repository_id = s.repository_id
          and g.integration_id = i.integration_id and g.mode = i.mode and g.state = 'done'
          and g.created_at <= i.created_at and one ->> 'stream' = s.stream
        order by g.created_at desc limit 1),
      'ahead', w.position -> 'ahead' -> 'records',
      'listed', (select greatest(list.records_expected, case when list.records_stored > 0 then list.records_stored end)
        from import_streams list where list.organization_id = s.organization_id and list.import_id = s.import_id
          and list.repository_id = s.repository_id and list.stream = 'pull_requests'),
      'bytes', r.size_bytes,
      'whole', i.mode = 'full'
        or case s.stream when 'commits' then w.last_success_at is null else w.watermark is null end)
    from imports i
    join repositories r on r.organization_id = s.organization_id and r.id = s.repository_id
    left join streams w on w.organization_id = s.organization_id and w.repository_id = s.repository_id
      and w.stream = s.stream
    where i.organization_id = s.organization_id and i.id = s.import_id) end`;

export interface OpenRows {
  /** streams that no count is known of, in repositories that have begun and not ended */
  open: (RowsOfStream & { known: KnownOfRows })[];
  /** repositories that have not begun */
  pending: number;
  /** a dry run of the same choice and mode that came before; null: there is none, or it is removed */
  estimate: StreamEstimate[] | null;
}

/** What is known of the rows that are to come in a whole import, where Bitbucket announces none. */
export async function readOpenRows(tx: Transaction, importId: string): Promise<OpenRows> {
  const [open, [whole]] = await Promise.all([
    tx.execute<OpenRows['open'][number] & Record<string, unknown>>(sql`
      select s.stream, s.records_stored::float8 as stored, s.records_expected::float8 as total, ${knownOfRows} as known
      from ${liveProgressOf(importId)} s
      where ${isOpen} and s.repository_state not in ('completed', 'failed', 'cancelled')`),
    tx.execute<Pick<OpenRows, 'pending' | 'estimate'> & Record<string, unknown>>(sql`
      select (select count(*)::int from import_repositories r
          -- One that is tried again has its streams.
          where r.import_id = i.id and r.state = 'pending' and r.retries = 0) as pending,
        (select g.result -> 'streams' from import_estimates g
          where g.organization_id = i.organization_id and g.integration_id = i.integration_id and g.mode = i.mode
            and g.selection = i.selection and g.state = 'done' and g.created_at <= i.created_at
          order by g.created_at desc limit 1) as estimate
      from imports i where i.id = ${importId} and i.finished_at is null`),
  ]);
  return { open, pending: whole?.pending ?? 0, estimate: whole?.estimate ?? null };
}
