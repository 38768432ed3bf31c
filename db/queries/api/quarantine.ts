import { sql } from 'drizzle-orm';
import type { Finding, RetryState, Stream } from '../../../workflows/words.ts';
import type { Transaction } from '../../client.ts';
import { quarantineRetries } from '../../schema/index.ts';
import type { RetryFilter } from '../../schema/quarantine.ts';
import { limitTo } from './limitTo.ts';

export interface QuarantineRow extends Record<string, unknown> {
  id: string;
  repositoryId: string;
  fullName: string;
  stream: Stream;
  recordKey: string;
  reason: string;
  attempts: number;
  requestPath: string | null;
  pageIndex: number | null;
  parentNumber: number | null;
  importId: string | null;
  createdAt: string;
  lastAttemptAt: string;
  /** of the whole record */
  bytes: number;
  /** its first bytes */
  head: Uint8Array;
}

/** Records in quarantine of the repositories that the integration sees, oldest first; of each at most `headBytes`. */
export async function listQuarantine(
  tx: Transaction,
  page: {
    integrationId: string;
    repositoryId: string | undefined;
    stream: Stream | undefined;
    after: string | null;
    limit: number;
    headBytes: number;
  },
): Promise<QuarantineRow[]> {
  const { integrationId, repositoryId, stream, after, limit, headBytes } = page;
  return tx.execute<QuarantineRow>(sql`
    select q.id, q.repository_id as "repositoryId", r.full_name as "fullName", q.stream, q.record_key as "recordKey",
      q.reason, q.attempts, q.request_path as "requestPath", q.page_index as "pageIndex",
      q.parent_number as "parentNumber", q.import_id as "importId", q.created_at as "createdAt",
      q.last_attempt_at as "lastAttemptAt", octet_length(q.raw) as bytes, substring(q.raw for ${headBytes}) as head
    from quarantine q
    join integration_repositories seen on seen.organization_id = q.organization_id
      and seen.repository_id = q.repository_id and seen.integration_id = ${integrationId}
    join repositories r on r.organization_id = q.organization_id and r.id = q.repository_id
    where ${after === null ? sql`true` : sql`q.id > ${after}::uuid`}
      and ${repositoryId === undefined ? sql`true` : sql`q.repository_id = ${repositoryId}`}
      and ${stream === undefined ? sql`true` : sql`q.stream = ${stream}`}
    order by q.id ${limitTo(limit)}`);
}

export interface RetryRow extends Record<string, unknown> {
  id: string;
  integrationId: string;
  filter: RetryFilter;
  state: RetryState;
  tried: number;
  stored: number;
  error: Finding | null;
  createdAt: string;
  startedAt: string | null;
  finishedAt: string | null;
}

/** Whether it is new: a request that is sent again finds the retry of the first. */
export async function insertRetry(
  tx: Transaction,
  row: {
    id: string;
    organizationId: string;
    integrationId: string;
    filter: RetryFilter;
    startedByKey: string;
    startedByUser: string | null;
  },
): Promise<boolean> {
  const inserted = await tx
    .insert(quarantineRetries)
    .values(row)
    .onConflictDoNothing()
    .returning({ id: quarantineRetries.id });
  return inserted.length > 0;
}

/** A retry whose run could not be started never was. */
export async function deletePendingRetry(tx: Transaction, id: string): Promise<void> {
  await tx.execute(sql`delete from quarantine_retries where id = ${id} and state = 'pending'`);
}

export async function readRetry(tx: Transaction, id: string): Promise<RetryRow | null> {
  const [row] = await tx.execute<RetryRow>(sql`
    select id, integration_id as "integrationId", filter, state, tried, stored, error, created_at as "createdAt",
      started_at as "startedAt", finished_at as "finishedAt"
    from quarantine_retries where id = ${id}`);
  return row ?? null;
}
