import { createHash } from 'node:crypto';
import { sql } from 'drizzle-orm';
import { v7 as uuid } from 'uuid';
import type { Stream } from '../../workflows/words.ts';
import type { Transaction } from '../client.ts';
import { escapeText } from '../text.ts';
import type { RepositoryScope } from './upsert.ts';

export interface QuarantinedRecord {
  key: string;
  /** the record's bytes as they came */
  raw: Uint8Array;
  reason: string;
  /** its place in the page, from 0 */
  index: number;
  /** the pull request or ticket it belongs to, where that is known */
  parent: number | null;
}

/** The answer that brought the records. */
export interface QuarantineSource {
  /** path and query; null: git brought them */
  requestPath: string | null;
  /** Postgres' clock when it was asked for */
  observedAt: string;
}

/** A record that another stream's record brought along. */
export interface Brought {
  key: string;
  /** Postgres' clock when it was asked for */
  observedAt: string;
}

/** An index of Postgres takes 2,704 bytes, and an ordinary key has a few dozen. */
const MAX_KEY_BYTES = 500;

/** A key as its column and index take it: of a very long one its hash. */
function storedKey(key: string): string {
  const text = escapeText(key);
  if (Buffer.byteLength(text) <= MAX_KEY_BYTES) return text;
  return `sha256:${createHash('sha256').update(text).digest('hex')}`;
}

/** Keeps records that could not be stored; one that was met before counts another attempt. Keys must be unique. */
export async function quarantineRecords(
  tx: Transaction,
  scope: RepositoryScope & { stream: Stream; importId: string },
  records: readonly QuarantinedRecord[],
  source: QuarantineSource,
): Promise<void> {
  if (records.length === 0) return;
  const requestPath = source.requestPath === null ? null : escapeText(source.requestPath);
  const rows = records.map((record) => ({
    id: uuid(),
    record_key: storedKey(record.key),
    raw: Buffer.from(record.raw).toString('base64'),
    reason: escapeText(record.reason),
    page_index: record.index,
    parent_number: record.parent,
  }));
  await tx.execute(sql`
    insert into quarantine as q (id, organization_id, repository_id, stream, record_key, raw, reason,
      request_path, page_index, parent_number, observed_at, import_id)
    select r.id, ${scope.organizationId}::uuid, ${scope.repositoryId}::uuid, ${scope.stream}, r.record_key,
      decode(r.raw, 'base64'), r.reason, ${requestPath}, r.page_index, r.parent_number,
      ${source.observedAt}::timestamptz, ${scope.importId}::uuid
    from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb)
      as r(id uuid, record_key text, raw text, reason text, page_index integer, parent_number integer)
    order by r.record_key
    on conflict (organization_id, repository_id, stream, record_key) do update set
      raw = excluded.raw, reason = excluded.reason, request_path = excluded.request_path,
      page_index = excluded.page_index, parent_number = excluded.parent_number, observed_at = excluded.observed_at,
      import_id = excluded.import_id,
      attempts = q.attempts + 1, last_attempt_at = clock_timestamp()`);
}

/** Lets go of records that are stored now. */
export async function releaseQuarantined(
  tx: Transaction,
  scope: RepositoryScope & { stream: Stream },
  keys: readonly string[],
): Promise<void> {
  if (keys.length === 0) return;
  await tx.execute(sql`
    delete from quarantine
    where organization_id = ${scope.organizationId} and repository_id = ${scope.repositoryId}
      and stream = ${scope.stream}
      and record_key in (select jsonb_array_elements_text(${JSON.stringify(keys.map(storedKey))}::jsonb))`);
}

/**
 * Lets go of records that another stream's records brought along and that are stored now. Where this very import had left
 * them there, its counts lose them as well: who counts the rows of their stream next finds them among those.
 */
export async function releaseBrought(
  tx: Transaction,
  scope: RepositoryScope & { stream: Stream; importId: string },
  keys: readonly string[],
): Promise<void> {
  if (keys.length === 0) return;
  await tx.execute(sql`
    with released as (
      delete from quarantine
      where organization_id = ${scope.organizationId} and repository_id = ${scope.repositoryId}
        and stream = ${scope.stream}
        and record_key in (select jsonb_array_elements_text(${JSON.stringify(keys.map(storedKey))}::jsonb))
      returning import_id
    ), own as (
      select count(*) as records from released where import_id = ${scope.importId}
    )
    update import_streams s set quarantined = s.quarantined - least(s.quarantined, own.records),
      records_expected = s.records_expected - least(s.quarantined, own.records)
    from own
    where own.records > 0 and s.organization_id = ${scope.organizationId} and s.import_id = ${scope.importId}
      and s.repository_id = ${scope.repositoryId} and s.stream = ${scope.stream}`);
}

/** The rows of records that were brought along as new as they are in quarantine, or newer: what came later stays there. */
export async function selectBrought(
  tx: Transaction,
  scope: RepositoryScope & { stream: Stream },
  brought: readonly Brought[],
): Promise<string[]> {
  const records = brought.map(({ key, observedAt }) => ({ key: storedKey(key), at: observedAt }));
  const rows = await tx.execute<{ id: string }>(sql`
    select distinct q.id from jsonb_to_recordset(${JSON.stringify(records)}::jsonb) as r(key text, at timestamptz)
    join quarantine q on q.organization_id = ${scope.organizationId} and q.repository_id = ${scope.repositoryId}
      and q.stream = ${scope.stream} and q.record_key = r.key
    where coalesce(q.observed_at, q.created_at) <= r.at`);
  return rows.map(({ id }) => id);
}

/** Lets go of commits that are stored now, whoever brought them. */
export async function releaseStoredCommits(tx: Transaction, scope: RepositoryScope): Promise<void> {
  await tx.execute(sql`
    delete from quarantine q
    where q.organization_id = ${scope.organizationId} and q.repository_id = ${scope.repositoryId}
      and q.stream = 'commits' and exists (
        select from commits c where c.organization_id = q.organization_id and c.repository_id = q.repository_id
          and c.hash = q.record_key)`);
}

/** Lets go of all records but these: what a whole look at the source did not refuse is stored now, or gone. */
export async function releaseOtherQuarantined(
  tx: Transaction,
  scope: RepositoryScope & { stream: Stream },
  keys: readonly string[],
): Promise<void> {
  await tx.execute(sql`
    delete from quarantine
    where organization_id = ${scope.organizationId} and repository_id = ${scope.repositoryId}
      and stream = ${scope.stream}
      and record_key not in (select jsonb_array_elements_text(${JSON.stringify(keys.map(storedKey))}::jsonb))`);
}

/** What another import met in quarantine counts for the one that goes on with its walk. */
export async function adoptQuarantined(
  tx: Transaction,
  scope: RepositoryScope & { stream: Stream; importId: string },
  from: string,
): Promise<void> {
  await tx.execute(sql`
    update quarantine set import_id = ${scope.importId}
    where organization_id = ${scope.organizationId} and repository_id = ${scope.repositoryId}
      and stream = ${scope.stream} and import_id = ${from}`);
}

/** Records in quarantine that this import met there, however often. */
export async function countQuarantinedBy(
  tx: Transaction,
  scope: RepositoryScope & { stream: Stream; importId: string },
): Promise<number> {
  const [row] = await tx.execute<{ count: number }>(sql`
    select count(*)::int as count from quarantine
    where organization_id = ${scope.organizationId} and repository_id = ${scope.repositoryId}
      and stream = ${scope.stream} and import_id = ${scope.importId}`);
  return row?.count ?? 0;
}

/** Whether any of these streams has records in quarantine. */
export async function anyQuarantined(
  tx: Transaction,
  scope: RepositoryScope & { streams: readonly Stream[] },
): Promise<boolean> {
  const rows = await tx.execute(sql`
    select from quarantine
    where organization_id = ${scope.organizationId} and repository_id = ${scope.repositoryId}
      and stream = any (${`{${scope.streams.join(',')}}`}::text[])
    limit 1`);
  return rows.length > 0;
}

export async function countQuarantined(
  tx: Transaction,
  scope: RepositoryScope & { stream: Stream },
): Promise<number> {
  const [row] = await tx.execute<{ count: number }>(sql`
    select count(*)::int as count from quarantine
    where organization_id = ${scope.organizationId} and repository_id = ${scope.repositoryId}
      and stream = ${scope.stream}`);
  return row?.count ?? 0;
}
