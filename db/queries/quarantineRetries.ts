import { sql } from 'drizzle-orm';
import type { Finding, Stream } from '../../workflows/words.ts';
import type { Transaction } from '../client.ts';
import type { RetryFilter } from '../schema/quarantine.ts';
import { escapeText } from '../text.ts';
import { jsonText } from './jsonText.ts';

/** Records of a quarantine that are tried again, as the worker works through them. */

export interface Retry {
  filter: RetryFilter;
  /** the last record that was tried; null: none yet */
  place: Place | null;
  createdAt: string;
}

/** Records are tried stream by stream: what is stored together is of one stream of one repository. */
export interface Place {
  repositoryId: string;
  stream: Stream;
  id: string;
}

/** Takes the retry for this transaction; undefined: it is gone, or has ended. */
export async function holdRetry(tx: Transaction, retryId: string): Promise<Retry | undefined> {
  const [row] = await tx.execute<Retry & Record<string, unknown>>(sql`
    update quarantine_retries set state = 'running', started_at = coalesce(started_at, clock_timestamp())
    where id = ${retryId} and state in ('pending', 'running')
    returning filter, place, created_at::text as "createdAt"`);
  return row;
}

export interface KeptRow extends Record<string, unknown> {
  id: string;
  repositoryId: string;
  stream: Stream;
  raw: Uint8Array;
  parent: number | null;
  observedAt: string;
}

/**
 * The next records behind the retry's place, all of one stream of one repository and at most `limit`, as many as hold
 * `maxBytes` together (one at least). Only those that were there when the retry was asked for, in repositories that the
 * integration sees.
 */
export async function selectKept(
  tx: Transaction,
  {
    retry,
    integrationId,
    limit,
    maxBytes,
  }: {
    retry: Retry;
    integrationId: string;
    limit: number;
    maxBytes: number;
  },
): Promise<KeptRow[]> {
  const { filter, place, createdAt } = retry;
  const behind =
    place === null
      ? sql`true`
      : sql`(q.repository_id, q.stream, q.id) > (${place.repositoryId}::uuid, ${place.stream}, ${place.id}::uuid)`;
  return tx.execute<KeptRow>(sql`
    with next as materialized (
      select q.repository_id, q.stream, q.id, octet_length(q.raw) as bytes from quarantine q
      where ${behind} and q.created_at <= ${createdAt}::timestamptz
        and ${filter.repository === undefined ? sql`true` : sql`q.repository_id = ${filter.repository}`}
        and ${filter.stream === undefined ? sql`true` : sql`q.stream = ${filter.stream}`}
        and ${filter.ids === undefined ? sql`true` : sql`q.id = any (${`{${filter.ids.join(',')}}`}::uuid[])`}
        and exists (select from integration_repositories seen where seen.organization_id = q.organization_id
          and seen.integration_id = ${integrationId} and seen.repository_id = q.repository_id)
      order by q.repository_id, q.stream, q.id limit ${limit}
    ), taken as (
      select n.id, sum(n.bytes) over (order by n.id) - n.bytes as before
      from next n join (select repository_id, stream from next order by repository_id, stream, id limit 1) first using (repository_id, stream)
    )
    select q.id, q.repository_id as "repositoryId", q.stream, q.raw, q.parent_number as parent,
      coalesce(q.observed_at, q.created_at)::text as "observedAt"
    from taken join quarantine q using (id) where taken.before < ${maxBytes} order by q.id`);
}

/**
 * Keeps page transactions of these streams out until the commit, in the lock order of theirs: the streams come first. Gives
 * those that are there; one is not where it was never read, or was removed with all that was imported of the repository.
 */
export async function lockStreams(
  tx: Transaction,
  { repositoryId, streams }: { repositoryId: string; streams: readonly Stream[] },
): Promise<Stream[]> {
  const rows = await tx.execute<{ stream: Stream }>(sql`
    select stream from streams
    where repository_id = ${repositoryId} and stream = any (${`{${streams.join(',')}}`}::text[])
    order by stream for no key update`);
  return rows.map((row) => row.stream);
}

/** Lets go of records that are stored now, and moves them in the counts of the imports that left them there. */
export async function releaseKept(tx: Transaction, ids: readonly string[]): Promise<number> {
  const [row] = await tx.execute<{ released: number }>(sql`
    with released as (
      delete from quarantine where id = any (${`{${ids.join(',')}}`}::uuid[])
      returning organization_id, repository_id, stream, import_id
    ), counted as (
      select organization_id, repository_id, stream, import_id, count(*) as records from released
      where import_id is not null group by 1, 2, 3, 4
    ), moved as (
      update import_streams s set quarantined = greatest(0, s.quarantined - c.records),
        records_stored = s.records_stored + least(s.quarantined, c.records)
      from counted c join import_streams own on own.organization_id = c.organization_id
        and own.repository_id = c.repository_id and own.stream = c.stream and own.import_id = c.import_id
      -- Imports that joined the run carry its counts: they began the stream at the same moment.
      where s.organization_id = c.organization_id and s.repository_id = c.repository_id and s.stream = c.stream
        and s.started_at = own.started_at
    )
    select count(*)::int as released from released`);
  return row?.released ?? 0;
}

/** Counts another attempt of records that still cannot be stored. */
export async function keepAgain(
  tx: Transaction,
  records: readonly { id: string; reason: string }[],
): Promise<void> {
  if (records.length === 0) return;
  const rows = JSON.stringify(records.map(({ id, reason }) => ({ id, reason: escapeText(reason) })));
  await tx.execute(sql`
    update quarantine q set attempts = q.attempts + 1, last_attempt_at = clock_timestamp(), reason = r.reason
    from jsonb_to_recordset(${rows}::jsonb) as r(id uuid, reason text) where q.id = r.id`);
}

/** Moves the retry behind the records that were tried, with what became of them. */
export async function advanceRetry(
  tx: Transaction,
  step: { retryId: string; place: Place; tried: number; stored: number },
): Promise<void> {
  await tx.execute(sql`
    update quarantine_retries set tried = tried + ${step.tried}, stored = stored + ${step.stored},
      place = ${JSON.stringify(step.place)}::jsonb
    where id = ${step.retryId}`);
}

export async function endRetry(
  tx: Transaction,
  { retryId, error }: { retryId: string; error: Finding | null },
): Promise<void> {
  const finding = jsonText(error);
  await tx.execute(sql`
    update quarantine_retries set state = case when ${finding}::jsonb is null then 'done' else 'failed' end,
      error = ${finding}::jsonb, finished_at = clock_timestamp()
    where id = ${retryId} and state in ('pending', 'running')`);
}
