import { sql, type SQL } from 'drizzle-orm';
import type {
  CommitSource,
  Finding,
  ImportMode,
  ImportRepositoryState,
  ImportState,
  IntegrationState,
  Service,
  Stream,
} from '../../workflows/words.ts';
import type { Transaction } from '../client.ts';
import { escapeJson } from '../text.ts';
import { ownerExcluded } from './autoImport.ts';
import { insertEventOfImport } from './events.ts';
import { progressCountsOf } from './importTotals.ts';

/** Rows of imports and of their repositories. Every function runs inside a transaction of the tenant. */

const only = <T>(rows: Iterable<T>): T | undefined => [...rows][0];

const ENDED_REPOSITORY = sql`('completed', 'failed', 'cancelled')`;

const uuids = (ids: readonly string[]) => sql`${`{${ids.join(',')}}`}::uuid[]`;

const json = (value: unknown): string | null =>
  value === null || value === undefined ? null : JSON.stringify(escapeJson(value));

/** Adds an entry to the import's events, and to the organization's feed what is essential there. */
export async function insertImportEvent(
  tx: Transaction,
  event: {
    organizationId: string;
    importId: string;
    type: string;
    repositoryId?: string;
    data?: Record<string, unknown>;
  },
): Promise<void> {
  await tx.execute(sql`
    insert into import_events (organization_id, import_id, type, repository_id, data)
    values (${event.organizationId}, ${event.importId}, ${event.type}, ${event.repositoryId ?? null},
      ${json(event.data ?? {})}::jsonb)`);
  await insertEventOfImport(tx, event);
}

/** Marks a pending import as running. False: it runs already, or has ended, or is gone. */
export async function startImport(tx: Transaction, importId: string): Promise<boolean> {
  const rows = await tx.execute(sql`
    update imports set state = 'running', started_at = clock_timestamp()
    where id = ${importId} and state = 'pending' returning id`);
  return rows.length > 0;
}

/**
 * Whether the repository `r`, as the integration (its id) has `seen` it, is one of those that a selection names. One that a
 * person removed must be named itself, and while it is being removed nothing takes it up; nor what is gone or out of
 * reach. Owners that the integration leaves out are left out of `all`.
 */
export const chosenBy = (selection: SQL, integration: SQL) => sql`(seen.presence = 'present' and (
  ${selection} -> 'repositories' ? r.id::text and not exists (
    select from removals d where d.organization_id = r.organization_id and d.subject_id = r.id)
  or r.removed_at is null and (
    ${selection} -> 'all' = 'true'::jsonb and not ${ownerExcluded(integration)}
    or ${selection} -> 'projects' ? r.project_id::text
    or ${selection} -> 'workspaces' ? r.workspace_id::text
    or (${selection} ->> 'imported_by' = r.integration_id::text and r.first_imported_at is not null))))`;

/**
 * One row a repository that was chosen and that the integration sees, in the order of full names. The integration
 * becomes the one whose credential fetches them, unless another one is already that is not being removed. One that was
 * removed, and so is named, is no longer.
 */
export async function chooseRepositories(
  tx: Transaction,
  { importId, integrationId }: { importId: string; integrationId: string },
): Promise<void> {
  await tx.execute(sql`
    with chosen as (
      select r.organization_id, r.id, row_number() over (order by r.full_name, r.id) as place
      from imports i
      join integration_repositories seen
        on seen.organization_id = i.organization_id and seen.integration_id = i.integration_id
      join repositories r on r.organization_id = seen.organization_id and r.id = seen.repository_id
      where i.id = ${importId} and ${chosenBy(sql`i.selection`, sql`i.integration_id`)}
    ), owned as (
      update repositories r set integration_id = ${integrationId}, removed_at = null
      from chosen c where r.id = c.id and (r.integration_id is null or r.removed_at is not null or exists (
        select from integrations n where n.organization_id = r.organization_id and n.id = r.integration_id
          and n.state = 'disconnecting'))
    )
    insert into import_repositories (organization_id, import_id, repository_id, place)
    select organization_id, ${importId}::uuid, id, place from chosen
    on conflict (organization_id, import_id, repository_id) do nothing`);
}

/** Stores and answers how many repositories the import has, and the name of the first. */
export async function countChosen(
  tx: Transaction,
  importId: string,
): Promise<{ total: number; first: string | null; all: boolean }> {
  const row = only(
    await tx.execute<{ total: number; first: string | null; all: boolean }>(sql`
      update imports i set repositories_total = (
        select count(*) from import_repositories ir where ir.import_id = i.id)
      where i.id = ${importId}
      returning repositories_total as total, coalesce(selection -> 'all' = 'true'::jsonb, false) as all, (
        select r.full_name from import_repositories ir join repositories r on r.id = ir.repository_id
        where ir.import_id = i.id order by ir.place limit 1) as first`),
  );
  return row ?? { total: 0, first: null, all: false };
}

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
 */
export async function rollUp(tx: Transaction, importId: string): Promise<ImportTotals> {
  const row = only(
    await tx.execute<ImportTotals & Record<string, unknown>>(sql`
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
        now.requests::float8 as requests, now.records::float8 as records`),
  );
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

/** Ends what has not ended, when the import is cancelled. */
export async function endRepositories(tx: Transaction, importId: string): Promise<void> {
  await tx.execute(sql`
    update import_repositories set state = 'cancelled', read_by = null, finished_at = clock_timestamp(),
      waiting_since = null, waiting_until = null, waiting_reason = null
    where import_id = ${importId} and state not in ${ENDED_REPOSITORY}`);
}

/** The import's last state, and whether this call ended it. `undefined`: it is gone. */
export async function endImport(
  tx: Transaction,
  input: { importId: string; cancelled: boolean },
): Promise<{ state: ImportState; ended: boolean } | undefined> {
  const ended = only(
    await tx.execute<{ state: ImportState }>(sql`
      update imports i set
        state = case when ${input.cancelled} then 'cancelled'
          when exists (select from import_repositories ir where ir.import_id = i.id and ir.state = 'failed')
          then 'completed_with_failures'
          -- Cancelled without the import are those that were removed meanwhile: that is no failure.
          when exists (select from import_repositories ir where ir.import_id = i.id and ir.state = 'cancelled')
            and not exists (select from import_repositories ir where ir.import_id = i.id and ir.state = 'completed')
          then 'cancelled' else 'completed' end,
        finished_at = clock_timestamp(), waiting_since = null, waiting_until = null, waiting_reason = null,
        paused_by_person_at = null
      where i.id = ${input.importId} and i.finished_at is null
      returning i.state`),
  );
  if (ended !== undefined) return { state: ended.state, ended: true };
  const known = only(
    await tx.execute<{ state: ImportState }>(sql`select state from imports where id = ${input.importId}`),
  );
  return known === undefined ? undefined : { state: known.state, ended: false };
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
 * services stay these until the transaction ends.
 */
export async function selectPlan(
  tx: Transaction,
  input: { importId: string; repositoryId: string },
): Promise<RepositoryPlan | undefined> {
  return only(
    await tx.execute<RepositoryPlan & Record<string, unknown>>(sql`
      select r.full_name as "fullName", i.mode, n.commit_source as "commitSource",
        array(select s from unnest(n.services) s where i.services is null or s = any (i.services)) as services,
        ir.state in ${ENDED_REPOSITORY} as over, ir.retries, r.size_bytes::float8 as "sizeBytes", n.state
      from import_repositories ir
      join imports i on i.organization_id = ir.organization_id and i.id = ir.import_id
      join integrations n on n.organization_id = i.organization_id and n.id = i.integration_id
      join repositories r on r.organization_id = ir.organization_id and r.id = ir.repository_id
      where ir.import_id = ${input.importId} and ir.repository_id = ${input.repositoryId}
      for update of ir for share of n`),
  );
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
  const row = only(
    await tx.execute<{ before: ImportRepositoryState; changed: boolean }>(sql`
      with old as (
        select organization_id, import_id, repository_id, state from import_repositories
        where import_id = ${input.importId} and repository_id = ${input.repositoryId}
          and state not in ${ENDED_REPOSITORY}
        for update
      )
      update import_repositories ir set state = ${input.state}, error = ${json(input.error)}::jsonb,
        started_at = coalesce(ir.started_at, clock_timestamp()),
        waiting_since = case when ${input.state} = 'running' then null
          when old.state = ${input.state} then ir.waiting_since else clock_timestamp() end,
        waiting_until = ${input.until}::timestamptz, waiting_reason = ${input.why}
      from old
      where ir.organization_id = old.organization_id and ir.import_id = old.import_id
        and ir.repository_id = old.repository_id
      returning old.state as before, old.state <> ${input.state} as changed`),
  );
  return row?.changed === true ? row.before : undefined;
}

/**
 * Writes the outcome of a repository into the row of its import, and of every other import that waits for this run: all
 * that a run of this mode satisfies (`full` is not satisfied by `changed`, and nobody by a sync of some services). A
 * cancelled run satisfies nobody else; one that failed says nothing to another integration, whose credential may be allowed more. `retries`: how often it had been
 * tried again when the run began; an outcome that is written again (its answer was lost) does not end a later try.
 * Answers the imports whose row this ended.
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
    update import_repositories ir set state = ${input.state}, error = ${json(input.error)}::jsonb, read_by = null,
      finished_at = clock_timestamp(), waiting_since = null, waiting_until = null, waiting_reason = null
    from imports i, imports own
    where ir.repository_id = ${input.repositoryId} and ir.state not in ${ENDED_REPOSITORY}
      and i.organization_id = ir.organization_id and i.id = ir.import_id
      and own.organization_id = ir.organization_id and own.id = ${input.importId}
      and ((i.id = own.id and ir.retries = coalesce(${input.retries}::int, ir.retries))
        or (${input.state} <> 'cancelled' and ir.state <> 'pending' and (i.mode = 'changed' or own.mode = 'full')
          and own.services is null
          and (${input.state} = 'completed' or i.integration_id = own.integration_id)))
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
