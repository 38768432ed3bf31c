import { sql } from 'drizzle-orm';
import type {
  CommitSource,
  Finding,
  ImportMode,
  ImportRepositoryState,
  IntegrationState,
  Service,
  Stream,
} from '../../workflows/words.ts';
import type { Transaction } from '../client.ts';
import { jsonText } from './jsonText.ts';
import { uuids } from './uuids.ts';

/** Repositories of imports, each with its own state. Every function runs inside a transaction of the tenant. */

const ENDED_REPOSITORY = sql`('completed', 'failed', 'cancelled')`;

/** The next repositories that have not ended and are not in hand, in order: those without a run, or with a lost one. */
export async function selectPending(
  tx: Transaction,
  { importId, limit, inHand }: { importId: string; limit: number; inHand: readonly string[] },
): Promise<{ repositoryId: string; fullName: string }[]> {
  return tx.execute<{ repositoryId: string; fullName: string }>(sql`
    select ir.repository_id as "repositoryId", r.full_name as "fullName"
    from import_repositories ir
    join repositories r on r.organization_id = ir.organization_id and r.id = ir.repository_id
    where ir.import_id = ${importId} and ir.state not in ${ENDED_REPOSITORY} and ir.repository_id <> all (${uuids(inHand)})
    order by ir.place limit ${limit}`);
}

/** Those that a run has begun and not ended: it goes on also when the import's own run was lost. */
export async function selectBegun(
  tx: Transaction,
  importId: string,
): Promise<{ repositoryId: string; fullName: string }[]> {
  return tx.execute<{ repositoryId: string; fullName: string }>(sql`
    select i.repository_id as "repositoryId", r.full_name as "fullName"
    from import_repositories i
    join repositories r on r.organization_id = i.organization_id and r.id = i.repository_id
    where i.import_id = ${importId} and i.state <> 'pending' and i.state not in ${ENDED_REPOSITORY}
    order by i.place`);
}

/** Those of the repositories whose import has ended; a row that is gone counts as ended. */
export async function selectFinished(
  tx: Transaction,
  { importId, repositoryIds }: { importId: string; repositoryIds: readonly string[] },
): Promise<string[]> {
  const rows = await tx.execute<{ id: string }>(sql`
    select asked.id from unnest(${uuids(repositoryIds)}) as asked (id)
    left join import_repositories ir on ir.import_id = ${importId} and ir.repository_id = asked.id
    where ir.state is null or ir.state in ${ENDED_REPOSITORY}`);
  return rows.map(({ id }) => id);
}

/** Ends what has not ended, when the import is cancelled. Answers which, and whether each had begun. */
export async function endRepositories(
  tx: Transaction,
  importId: string,
): Promise<{ repositoryId: string; begun: boolean }[]> {
  return tx.execute<{ repositoryId: string; begun: boolean }>(sql`
    update import_repositories set state = 'cancelled', read_by = null, finished_at = clock_timestamp(),
      waiting_since = null, waiting_until = null, waiting_reason = null
    where import_id = ${importId} and state not in ${ENDED_REPOSITORY}
    returning repository_id as "repositoryId", started_at is not null as begun`);
}

export interface RepositoryPlan {
  fullName: string;
  mode: ImportMode;
  /** those of the integration; of a sync, what it was asked for of them */
  services: Service[];
  commitSource: CommitSource;
  /** the repository has its outcome */
  over: boolean;
  retries: number;
  /** null: the host did not say */
  sizeBytes: number | null;
  /** of the integration */
  state: IntegrationState;
}

/**
 * What is to be read of a repository: the import's mode, the integration's services and source. `undefined`: gone. The
 * services stay these until the transaction ends; with `lock`, so does the repository's row in the import.
 */
export async function selectPlan(
  tx: Transaction,
  input: { importId: string; repositoryId: string },
  { lock }: { lock: boolean },
): Promise<RepositoryPlan | undefined> {
  const [row] = await tx.execute<RepositoryPlan & Record<string, unknown>>(sql`
    select r.full_name as "fullName", i.mode, n.commit_source as "commitSource",
      array(select s from unnest(n.services) s where i.services is null or s = any (i.services)) as services,
      ir.state in ${ENDED_REPOSITORY} as over, ir.retries, r.size_bytes::float8 as "sizeBytes", n.state
    from import_repositories ir
    join imports i on i.organization_id = ir.organization_id and i.id = ir.import_id
    join integrations n on n.organization_id = i.organization_id and n.id = i.integration_id
    join repositories r on r.organization_id = ir.organization_id and r.id = ir.repository_id
    where ir.import_id = ${input.importId} and ir.repository_id = ${input.repositoryId}
    ${lock ? sql`for update of ir` : sql``} for share of n`);
  return row;
}

/** Makes the streams visible in the import's progress before the first of their pages is there; those that were off meanwhile too. */
export async function insertImportStreams(
  tx: Transaction,
  input: { organizationId: string; importId: string; repositoryId: string; streams: readonly Stream[] },
): Promise<void> {
  await tx.execute(sql`
    insert into import_streams (organization_id, import_id, repository_id, stream)
    select ${input.organizationId}, ${input.importId}, ${input.repositoryId}, stream
    from jsonb_array_elements_text(${JSON.stringify(input.streams)}::jsonb) as s (stream)
    on conflict (organization_id, import_id, repository_id, stream) do update set state = 'never', finished_at = null
      where import_streams.state = 'switched_off'`);
}

/** The state before, when this call changed it; `undefined`: it was so already, or the repository's import has ended. */
export async function updateRepositoryState(
  tx: Transaction,
  input: {
    importId: string;
    repositoryId: string;
    state: ImportRepositoryState;
    until: string | null;
    why: string | null;
    error: Finding | null;
  },
): Promise<ImportRepositoryState | undefined> {
  const [row] = await tx.execute<{ before: ImportRepositoryState; changed: boolean }>(sql`
    with old as (
      select organization_id, import_id, repository_id, state from import_repositories
      where import_id = ${input.importId} and repository_id = ${input.repositoryId}
        and state not in ${ENDED_REPOSITORY}
      for update
    )
    update import_repositories ir set state = ${input.state}, error = ${jsonText(input.error)}::jsonb,
      started_at = coalesce(ir.started_at, clock_timestamp()),
      waiting_since = case when ${input.state} = 'running' then null
        when old.state = ${input.state} then ir.waiting_since else clock_timestamp() end,
      waiting_until = ${input.until}::timestamptz, waiting_reason = ${input.why}
    from old
    where ir.organization_id = old.organization_id and ir.import_id = old.import_id
      and ir.repository_id = old.repository_id
    returning old.state as before, old.state <> ${input.state} as changed`);
  return row?.changed === true ? row.before : undefined;
}

/**
 * Writes the outcome of a repository into the row of its import, and of every other import that waits for this run: all
 * that a run of this mode satisfies (`full` is not satisfied by `changed`, and nobody by a sync of some services).
 * Another integration's is satisfied only where that one has no service more, and takes its commits from the same source.
 * A cancelled run satisfies nobody else; one that failed says nothing to another integration, whose credential may be
 * allowed more. `retries`: how often it had been tried again when the run began; an outcome that is written again (its
 * answer was lost) does not end a later try. Who joined began when the reader did: what changed since then the run may have
 * read past already. Answers the imports whose row this ended.
 */
export async function endRepository(
  tx: Transaction,
  input: {
    importId: string;
    repositoryId: string;
    state: 'completed' | 'failed' | 'cancelled';
    error: Finding | null;
    retries: number | null;
  },
): Promise<string[]> {
  const rows = await tx.execute<{ id: string }>(sql`
    update import_repositories ir set state = ${input.state}, error = ${jsonText(input.error)}::jsonb, read_by = null,
      started_at = least(ir.started_at, read.started_at), finished_at = clock_timestamp(), waiting_since = null,
      waiting_until = null, waiting_reason = null
    from imports i, imports own, import_repositories read, integrations theirs, integrations reader
    where ir.repository_id = ${input.repositoryId} and ir.state not in ${ENDED_REPOSITORY}
      and i.organization_id = ir.organization_id and i.id = ir.import_id
      and own.organization_id = ir.organization_id and own.id = ${input.importId}
      and read.organization_id = own.organization_id and read.import_id = own.id and read.repository_id = ir.repository_id
      and theirs.organization_id = i.organization_id and theirs.id = i.integration_id
      and reader.organization_id = own.organization_id and reader.id = own.integration_id
      and ((i.id = own.id and ir.retries = coalesce(${input.retries}::int, ir.retries))
        or (i.id <> own.id and ${input.state} <> 'cancelled' and ir.state <> 'pending'
          and (i.mode = 'changed' or own.mode = 'full') and own.services is null
          and (theirs.id = reader.id or (${input.state} = 'completed' and theirs.commit_source = reader.commit_source
            and array(select s from unnest(theirs.services) s where i.services is null or s = any (i.services))
              <@ reader.services))))
    returning ir.import_id as id`);
  return rows.map(({ id }) => id);
}

/** Shows the progress of the run in the imports that waited for it. */
export async function copyProgress(
  tx: Transaction,
  input: { importId: string; repositoryId: string; to: readonly string[] },
): Promise<void> {
  if (input.to.length === 0) return;
  await tx.execute(sql`
    insert into import_streams (organization_id, import_id, repository_id, stream, state, records_stored,
      records_expected, expected_basis, quarantined, gone, not_permitted, method, notes, requests, last_error,
      started_at, finished_at)
    select s.organization_id, waiting.id, s.repository_id, s.stream, s.state, s.records_stored, s.records_expected,
      s.expected_basis, s.quarantined, s.gone, s.not_permitted, s.method, s.notes, 0, s.last_error, s.started_at,
      s.finished_at
    from import_streams s, unnest(${uuids(input.to)}) as waiting (id)
    where s.import_id = ${input.importId} and s.repository_id = ${input.repositoryId}
    on conflict (organization_id, import_id, repository_id, stream) do update set
      state = excluded.state, records_stored = excluded.records_stored, records_expected = excluded.records_expected,
      expected_basis = excluded.expected_basis, quarantined = excluded.quarantined, gone = excluded.gone,
      not_permitted = excluded.not_permitted, method = excluded.method, notes = excluded.notes,
      last_error = excluded.last_error, started_at = excluded.started_at, finished_at = excluded.finished_at`);
}

/** Dates the repository's first and last complete import. */
export async function stampImported(tx: Transaction, repositoryId: string): Promise<void> {
  await tx.execute(sql`
    update repositories set first_imported_at = coalesce(first_imported_at, clock_timestamp()),
      last_imported_at = clock_timestamp()
    where id = ${repositoryId}`);
}
