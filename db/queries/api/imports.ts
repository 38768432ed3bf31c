import { sql } from 'drizzle-orm';
import type {
  Finding,
  ImportMode,
  ImportRepositoryState,
  ImportState,
  Presence,
  Service,
  Stream,
  StreamState,
} from '../../../workflows/words.ts';
import type { Transaction } from '../../client.ts';
import { imports } from '../../schema/index.ts';
import type { KnownOfRows } from '../../../forecast/expectedRows.ts';
import { ownerExcluded } from '../autoImport.ts';
import { knownOfRows } from '../expectedRows.ts';
import { progressCountsOf } from '../importTotals.ts';
import { progressOf } from '../sharedProgress.ts';
import type { ImportSelection } from '../../schema/imports.ts';
import { fixed } from './fixed.ts';
import { jsonList, literal, object, word } from './nestedJson.ts';
import { limitTo } from './limitTo.ts';

export interface ImportRow extends Record<string, unknown> {
  id: string;
  integrationId: string;
  mode: ImportMode;
  state: ImportState;
  selection: ImportSelection;
  services: Service[] | null;
  total: number | null;
  completed: number;
  failed: number;
  records: number;
  requests: number;
  waitingSince: string | null;
  waitingUntil: string | null;
  waitingReason: string | null;
  pausedByPerson: boolean;
  cancelRequested: boolean;
  startedByKey: string | null;
  startedByUser: string | null;
  createdAt: string;
  startedAt: string | null;
  finishedAt: string | null;
}

const IMPORT = fixed(sql`
  i.id, i.integration_id as "integrationId", i.mode, i.state, i.selection, i.services, i.repositories_total as total,
  i.repositories_completed as completed, i.repositories_failed as failed, i.records::float8 as records,
  i.requests::float8 as requests, i.waiting_since as "waitingSince", i.waiting_until as "waitingUntil",
  i.waiting_reason as "waitingReason", i.paused_by_person_at is not null as "pausedByPerson",
  i.cancel_requested_at is not null as "cancelRequested", i.started_by_key as "startedByKey", i.started_by_user as "startedByUser",
  i.created_at as "createdAt", i.started_at as "startedAt", i.finished_at as "finishedAt"`);

export async function readImport(tx: Transaction, id: string): Promise<ImportRow | null> {
  const [row] = await tx.execute<ImportRow>(
    sql`select ${IMPORT} from imports i where i.id = ${id} and i.kind = 'import'`,
  );
  return row ?? null;
}

/** Newest first. */
export async function listImports(
  tx: Transaction,
  page: { integrationId: string; limit: number; after: { createdAt: string; id: string } | null },
): Promise<ImportRow[]> {
  const { integrationId, limit, after } = page;
  return tx.execute<ImportRow>(sql`
    select ${IMPORT} from imports i
    where i.integration_id = ${integrationId} and i.kind = 'import'
      and ${after === null ? sql`true` : sql`(i.created_at, i.id) < (${after.createdAt}::timestamptz, ${after.id}::uuid)`}
    order by i.created_at desc, i.id desc ${limitTo(limit)}`);
}

/** False: it is there already, and was not called off before it began. */
export async function insertImport(
  tx: Transaction,
  row: {
    id: string;
    organizationId: string;
    integrationId: string;
    mode: ImportMode;
    selection: ImportSelection;
    startedByKey: string;
    startedByUser: string | null;
  },
): Promise<boolean> {
  // The same request again after a lost answer: its row is there. One that was refused then may begin now.
  const rows = await tx
    .insert(imports)
    .values(row)
    .onConflictDoUpdate({
      target: imports.id,
      set: { state: 'pending', finishedAt: null },
      setWhere: sql`${imports.state} = 'cancelled' and ${imports.startedAt} is null`,
    })
    .returning({ id: imports.id });
  return rows.length > 0;
}

/** An import whose run was refused never began. */
export async function cancelPendingImport(tx: Transaction, id: string): Promise<void> {
  await tx.execute(sql`
    update imports set state = 'cancelled', finished_at = clock_timestamp() where id = ${id} and state = 'pending'`);
}

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
  /** repositories that have the stream and have begun */
  begun: number;
  failed: number;
}

/** Per stream over all repositories of the import. */
export async function totalStreams(tx: Transaction, importId: string): Promise<StreamTotals[]> {
  return tx.execute<StreamTotals>(sql`
    select stream, sum(streams)::int as begun, sum(stored)::float8 as stored,
      case when sum(known) = sum(streams) then sum(expected)::float8 end as expected,
      sum(quarantined)::float8 as quarantined, sum(requests)::float8 as requests,
      coalesce(sum(streams) filter (where state = 'failed'), 0)::int as failed,
      sum(requests_left)::float8 as "requestsLeft", sum(records_rate)::float8 as "recordsPerSecond"
    from ${progressCountsOf(importId)} p
    group by stream having sum(streams) > 0 order by stream`);
}

export interface ImportRepositoryRow extends Record<string, unknown> {
  repositoryId: string;
  fullName: string;
  place: number;
  state: ImportRepositoryState;
  error: Finding | null;
  waitingSince: string | null;
  waitingUntil: string | null;
  waitingReason: string | null;
  startedAt: string | null;
  finishedAt: string | null;
  streams: ImportStreamRow[];
}

export interface ImportStreamRow {
  stream: Stream;
  state: StreamState;
  stored: number;
  expected: number | null;
  expected_basis: string | null;
  /** null: it has ended, or the source announces its records */
  known: KnownOfRows | null;
  quarantined: number;
  requests: number;
  requests_left: number;
  records_rate: number;
  requests_rate: number;
  last_error: Finding | null;
  started_at: string | null;
  finished_at: string | null;
}

/** An aggregate of streams `s` of `progressOf`: a list of `ImportStreamRow`. */
const IMPORT_STREAMS = fixed(
  jsonList(
    object({
      stream: word(sql`s.stream`),
      state: word(sql`s.state`),
      stored: literal(sql`s.records_stored`),
      expected: literal(sql`s.records_expected`),
      expected_basis: word(sql`s.expected_basis`),
      known: literal(knownOfRows),
      quarantined: literal(sql`s.quarantined`),
      requests: literal(sql`s.own_requests`),
      requests_left: literal(sql`s.requests_left`),
      records_rate: literal(sql`s.records_rate`),
      requests_rate: literal(sql`s.requests_rate`),
      last_error: literal(sql`s.last_error`),
      started_at: word(sql`s.started_at`),
      finished_at: word(sql`s.finished_at`),
    }),
    sql`s.started_at nulls last, s.stream`,
  ),
);

/** In the order in which they are taken up. */
export async function listImportRepositories(
  tx: Transaction,
  page: {
    importId: string;
    limit: number;
    afterPlace: number | null;
    state: ImportRepositoryState | undefined;
  },
): Promise<ImportRepositoryRow[]> {
  const { importId, limit, afterPlace, state } = page;
  return tx.execute<ImportRepositoryRow>(sql`
    select ir.repository_id as "repositoryId", r.full_name as "fullName", ir.place, ir.state, ir.error,
      ir.waiting_since as "waitingSince", ir.waiting_until as "waitingUntil", ir.waiting_reason as "waitingReason",
      ir.started_at as "startedAt", ir.finished_at as "finishedAt",
      (select ${IMPORT_STREAMS} from ${progressOf(importId)} s where s.repository_id = ir.repository_id) as streams
    from (
      select * from import_repositories
      where import_id = ${importId}
        and ${afterPlace === null ? sql`true` : sql`place > ${afterPlace}`}
        and ${state === undefined ? sql`true` : sql`state = ${state}`}
      order by place ${limitTo(limit)}
    ) ir
    join repositories r on r.organization_id = ir.organization_id and r.id = ir.repository_id
    order by ir.place`);
}

/** Which of the chosen ids the integration does not see, in the order given. */
export async function selectUnknown(
  tx: Transaction,
  {
    integrationId,
    of,
    ids,
  }: { integrationId: string; of: 'repositories' | 'projects' | 'workspaces'; ids: string[] },
): Promise<string[]> {
  const column = { repositories: sql`r.id`, projects: sql`r.project_id`, workspaces: sql`r.workspace_id` }[
    of
  ];
  const rows = await tx.execute<{ id: string }>(sql`
    select asked.id from unnest(${`{${ids.join(',')}}`}::uuid[]) with ordinality as asked (id, place)
    where not exists (
      select from integration_repositories seen
      join repositories r on r.organization_id = seen.organization_id and r.id = seen.repository_id
      where seen.integration_id = ${integrationId} and ${column} = asked.id)
    order by asked.place`);
  return rows.map((row) => row.id);
}

/** Those of the repositories that the integration has found gone or out of its reach, in the order given. */
export async function selectAbsent(
  tx: Transaction,
  { integrationId, ids }: { integrationId: string; ids: string[] },
): Promise<{ id: string; presence: Presence }[]> {
  return tx.execute<{ id: string; presence: Presence }>(sql`
    select asked.id, seen.presence from unnest(${`{${ids.join(',')}}`}::uuid[]) with ordinality as asked (id, place)
    join integration_repositories seen on seen.repository_id = asked.id and seen.integration_id = ${integrationId}
    where seen.presence <> 'present' order by asked.place`);
}

/** Which of the ids name no repository of the import, in the order given. */
export async function selectForeignRepositories(
  tx: Transaction,
  { importId, repositoryIds }: { importId: string; repositoryIds: string[] },
): Promise<string[]> {
  const rows = await tx.execute<{ id: string }>(sql`
    select asked.id from unnest(${`{${repositoryIds.join(',')}}`}::uuid[]) with ordinality as asked (id, place)
    where not exists (
      select from import_repositories ir where ir.import_id = ${importId} and ir.repository_id = asked.id)
    order by asked.place`);
  return rows.map((row) => row.id);
}

/** Whether there is a repository that an import of all takes. */
export async function seesAnyRepository(tx: Transaction, integrationId: string): Promise<boolean> {
  const rows = await tx.execute(sql`
    select from integration_repositories seen
    join repositories r on r.organization_id = seen.organization_id and r.id = seen.repository_id
    where seen.integration_id = ${integrationId} and seen.presence = 'present'
      and not ${ownerExcluded(sql`seen.integration_id`)} limit 1`);
  return rows.length > 0;
}
