import { sql } from 'drizzle-orm';
import type { Stream } from '../../workflows/words.ts';
import type { Transaction } from '../client.ts';
import { joinByHash } from './planning.ts';
import { progressOf } from './sharedProgress.ts';

export interface StreamTotals extends Record<string, unknown> {
  stream: Stream;
  stored: number;
  /** null: not known for every repository yet */
  expected: number | null;
  quarantined: number;
  requests: number;
  /** of the repositories that have begun */
  requestsLeft: number;
  recordsPerSecond: number;
  /** repositories in which it failed */
  failed: number;
  /** repositories that have begun with it */
  begun: number;
  /** made for whichever import reads them */
  requestsMade: number;
  requestsPerSecond: number;
  /** of `requestsLeft`, those of repositories that go on */
  requestsToCome: number;
  /** git's time that is left, where commits are being stored: as fast as in the last minute */
  gitMs: number;
}

export interface ImportTotals {
  /** repositories that have not begun */
  waiting: number;
  /** repositories that have not ended */
  open: number;
  streams: StreamTotals[];
}

/**
 * Where an import stands, over all its repositories, in one pass: ten thousand repositories have fifty thousand streams.
 * Its transaction joins by hash from here on.
 */
export async function totalImport(tx: Transaction, importId: string): Promise<ImportTotals> {
  await joinByHash(tx);
  const [repositories] = await tx.execute<{ waiting: number; open: number }>(sql`
    select count(*) filter (where state = 'pending')::int as waiting,
      count(*) filter (where state not in ('completed', 'failed', 'cancelled'))::int as open
    from import_repositories where import_id = ${importId}`);
  const streams = await tx.execute<StreamTotals>(sql`
    select stream, sum(records_stored)::float8 as stored,
      case when bool_and(records_expected is not null) then sum(records_expected)::float8 end as expected,
      sum(quarantined)::float8 as quarantined, sum(own_requests)::float8 as requests,
      (count(*) filter (where state = 'failed'))::int as failed, count(*)::int as begun,
      sum(requests)::float8 as "requestsMade", sum(requests_left)::float8 as "requestsLeft",
      coalesce(sum(requests_left) filter (where repository_state not in ('completed', 'failed', 'cancelled')), 0)::float8 as "requestsToCome",
      sum(records_rate)::float8 as "recordsPerSecond", sum(requests_rate)::float8 as "requestsPerSecond",
      coalesce(sum(1000 * greatest(0, records_expected - records_stored) / records_rate)
        filter (where stream = 'commits' and state = 'processing' and records_rate > 0), 0)::float8 as "gitMs"
    from ${progressOf(importId)} p
    group by stream order by stream`);
  return { waiting: repositories?.waiting ?? 0, open: repositories?.open ?? 0, streams };
}
