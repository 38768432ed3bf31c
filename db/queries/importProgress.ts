import { sql } from 'drizzle-orm';
import type { Finding, ImportKind, Stream, StreamCounts, StreamState } from '../../workflows/words.ts';
import type { Transaction } from '../client.ts';
import { slideWindow } from './rates.ts';
import { jsonText } from './jsonText.ts';

export interface ImportStreamKey {
  organizationId: string;
  importId: string;
  repositoryId: string;
  stream: Stream;
}

/** What one page (or one end of a stream) adds to an import's progress. */
export interface Progress {
  /** records of this page that are stored now, changed or not */
  stored?: number;
  quarantined?: number;
  requests?: number;
  /** replaces the count so far: at a stream's end, when the table itself was counted */
  storedInAll?: number;
  /** replaces what was expected so far; null: not known */
  expected?: number | null;
  /** how `expected` is known: `size`, `rev_list`, `comment_count`, `counted` … */
  basis?: string;
}

/** Moves the counters; belongs in the transaction that moves the checkpoint. Makes the row where there is none. */
export async function addProgress(tx: Transaction, key: ImportStreamKey, progress: Progress): Promise<void> {
  const stored = progress.storedInAll ?? progress.stored ?? 0;
  const counted =
    progress.storedInAll === undefined
      ? sql`i.records_stored + excluded.records_stored`
      : sql`excluded.records_stored`;
  const expected =
    progress.expected === undefined
      ? sql``
      : sql`, records_expected = excluded.records_expected, expected_basis = excluded.expected_basis`;
  await tx.execute(sql`
    insert into import_streams as i (organization_id, import_id, repository_id, stream, state, records_stored,
      records_expected, expected_basis, quarantined, requests, window_at, window_records, window_requests, started_at)
    values (${key.organizationId}, ${key.importId}, ${key.repositoryId}, ${key.stream}, 'processing', ${stored},
      ${progress.expected ?? null}, ${progress.basis ?? null}, ${progress.quarantined ?? 0},
      ${progress.requests ?? 0}, now(), ${progress.stored ?? 0}, ${progress.requests ?? 0}, clock_timestamp())
    on conflict (organization_id, import_id, repository_id, stream) do update set
      records_stored = ${counted} ${expected},
      quarantined = i.quarantined + excluded.quarantined,
      requests = i.requests + excluded.requests,
      ${slideWindow},
      started_at = coalesce(i.started_at, excluded.started_at)`);
}

/**
 * A stream that ended holds more rows by now, since another stream of the import found some of its records: they were
 * not expected either, so what was missing stays missing.
 */
export async function recountStream(tx: Transaction, key: ImportStreamKey, rows: number): Promise<void> {
  await tx.execute(sql`
    update import_streams set records_stored = ${rows}::bigint,
      records_expected = records_expected + ${rows}::bigint - records_stored
    where organization_id = ${key.organizationId} and import_id = ${key.importId}
      and repository_id = ${key.repositoryId} and stream = ${key.stream}
      and records_stored < ${rows}::bigint`);
}

/** What a stream has been counted at so far; the row is there once the stream was opened. */
export async function readStreamCounts(tx: Transaction, key: ImportStreamKey): Promise<StreamCounts> {
  const [row] = await tx.execute<StreamCounts & Record<string, unknown>>(sql`
    select records_expected::float8 as expected, records_stored::float8 as stored, quarantined::float8 as quarantined,
      gone::float8 as gone, not_permitted::float8 as "notPermitted"
    from import_streams
    where organization_id = ${key.organizationId} and import_id = ${key.importId}
      and repository_id = ${key.repositoryId} and stream = ${key.stream}`);
  return row ?? { expected: null, stored: 0, quarantined: 0, gone: 0, notPermitted: 0 };
}

/** Records of a repository that an import has stored, of those streams whose records say which repository they are of. */
export async function countNamingRecords(
  tx: Transaction,
  { importId, repositoryId }: Pick<ImportStreamKey, 'importId' | 'repositoryId'>,
): Promise<number> {
  const [row] = await tx.execute<{ records: number }>(sql`
    select coalesce(sum(records_stored), 0)::float8 as records from import_streams
    where import_id = ${importId} and repository_id = ${repositoryId} and stream in ('pull_requests', 'tickets')`);
  return row?.records ?? 0;
}

/** Replaces what was counted so far, at a stream's end. */
export async function writeStreamCounts(
  tx: Transaction,
  key: ImportStreamKey,
  counts: StreamCounts & { basis: string },
): Promise<void> {
  await tx.execute(sql`
    update import_streams set records_expected = ${counts.expected}, records_stored = ${counts.stored},
      quarantined = ${counts.quarantined}, gone = ${counts.gone}, not_permitted = ${counts.notPermitted},
      expected_basis = ${counts.basis}
    where organization_id = ${key.organizationId} and import_id = ${key.importId}
      and repository_id = ${key.repositoryId} and stream = ${key.stream}`);
}

/** State of a stream within an import. `healthy`, `unavailable` and `switched_off` end it; `failed` may be tried again. */
export async function setImportStreamState(
  tx: Transaction,
  key: ImportStreamKey,
  change: { state: StreamState; error: Finding | null },
): Promise<void> {
  const error = jsonText(change.error);
  const ended = ['healthy', 'unavailable', 'switched_off', 'failed'].includes(change.state);
  await tx.execute(sql`
    insert into import_streams as i (organization_id, import_id, repository_id, stream, state, last_error, started_at,
      finished_at)
    values (${key.organizationId}, ${key.importId}, ${key.repositoryId}, ${key.stream}, ${change.state},
      ${error}::jsonb, clock_timestamp(), case when ${ended}::boolean then clock_timestamp() end)
    on conflict (organization_id, import_id, repository_id, stream) do update set
      state = excluded.state, last_error = excluded.last_error, finished_at = excluded.finished_at,
      started_at = coalesce(i.started_at, excluded.started_at)`);
}

export interface ImportStreamState {
  stream: Stream;
  state: StreamState;
  expected: number | null;
  requests: number;
  error: Finding | null;
}

/** The streams of one repository in one import, with what is known of each. */
export async function readImportStreams(
  tx: Transaction,
  key: Omit<ImportStreamKey, 'stream'>,
): Promise<ImportStreamState[]> {
  return tx.execute<ImportStreamState & Record<string, unknown>>(sql`
    select stream, state, records_expected::float8 as expected, requests::float8 as requests, last_error as error
    from import_streams
    where organization_id = ${key.organizationId} and import_id = ${key.importId}
      and repository_id = ${key.repositoryId}`);
}

/** Records that the streams of one repository have stored in one import. */
export async function readStoredRecords(
  tx: Transaction,
  key: Omit<ImportStreamKey, 'stream'>,
): Promise<number> {
  const [row] = await tx.execute<{ stored: number } & Record<string, unknown>>(sql`
    select coalesce(sum(records_stored), 0)::float8 as stored
    from import_streams
    where organization_id = ${key.organizationId} and import_id = ${key.importId}
      and repository_id = ${key.repositoryId}`);
  return row?.stored ?? 0;
}

export interface RepositorySource {
  fullName: string;
  /** in braces */
  providerUuid: string;
  /** the credential that signs; null: the integration has none at present */
  credentialId: string | null;
  /** false: the host said that there is no issue tracker */
  hasIssues: boolean | null;
  /** a sync goes before imports */
  kind: ImportKind;
}

/** Where a repository is read from and with what, and for what; undefined when repository or integration is gone. */
export async function readRepositorySource(
  tx: Transaction,
  key: { organizationId: string; integrationId: string; importId: string; repositoryId: string },
): Promise<RepositorySource | undefined> {
  const [row] = await tx.execute<RepositorySource & Record<string, unknown>>(sql`
    select r.full_name as "fullName", r.provider_uuid as "providerUuid", i.credential_id as "credentialId", r.has_issues as "hasIssues",
      coalesce((select kind from imports where id = ${key.importId}), 'import') as kind
    from repositories r join integrations i on i.organization_id = r.organization_id
    where r.organization_id = ${key.organizationId} and r.id = ${key.repositoryId}
      and i.id = ${key.integrationId}`);
  return row;
}
