import { sql } from 'drizzle-orm';
import {
  type Finding,
  type ImportRepositoryState,
  type IntegrationState,
  type Service,
  SERVICES,
  STREAMS_OF_SERVICE,
} from '../../workflows/words.ts';
import type { Transaction } from '../client.ts';
import { isAbsent } from './presence.ts';
import { jsonText } from './jsonText.ts';
import { uuids } from './uuids.ts';

/** Rows of syncs. Every function runs inside a transaction of the tenant. */

/** A list of words as Postgres writes an array: none of them has a character that needs quotes. */
const words = (services: readonly Service[]) => sql`${`{${services.join(',')}}`}::text[]`;

export interface SyncSubject extends Record<string, unknown> {
  fullName: string;
  /** of the integration whose credential fetches it */
  integrationState: IntegrationState;
  services: Service[];
  /** an import of it has ended well */
  imported: boolean;
  /** discoveries found it gone, or out of the account's reach */
  absent: boolean;
}

/**
 * What there is to know before a sync begins. `undefined`: repository or integration is gone or removed, or another one
 * owns it. Neither can be removed until the transaction ends.
 */
export async function readSyncSubject(
  tx: Transaction,
  { integrationId, repositoryId }: { integrationId: string; repositoryId: string },
): Promise<SyncSubject | undefined> {
  const [row] = await tx.execute<SyncSubject>(sql`
    select r.full_name as "fullName", n.state as "integrationState", n.services,
      r.first_imported_at is not null as imported, ${isAbsent} as absent
    from repositories r
    join integrations n on n.organization_id = r.organization_id and n.id = r.integration_id
    where r.id = ${repositoryId} and n.id = ${integrationId} and r.removed_at is null
    for share of r, n`);
  return row;
}

/**
 * Makes the rows of a sync, in which its run writes progress as that of an import does. Repeatable: where the answer was
 * lost before its run went on, what was wanted since is added.
 */
export async function insertSync(
  tx: Transaction,
  sync: {
    organizationId: string;
    integrationId: string;
    repositoryId: string;
    syncId: string;
    services: readonly Service[];
  },
): Promise<void> {
  const { organizationId, integrationId, repositoryId, syncId, services } = sync;
  await tx.execute(sql`
    insert into imports as i (id, organization_id, integration_id, kind, mode, services, state, selection,
      repositories_total, started_at)
    values (${syncId}, ${organizationId}, ${integrationId}, 'sync', 'changed', ${words(services)}, 'running',
      ${JSON.stringify({ repositories: [repositoryId] })}::jsonb, 1, clock_timestamp())
    on conflict (id) do update set services = array(
      select s from unnest(${words(SERVICES)}) s where s = any (i.services || excluded.services))`);
  await tx.execute(sql`
    insert into import_repositories (organization_id, import_id, repository_id, place)
    values (${organizationId}, ${syncId}, ${repositoryId}, 1)
    on conflict (organization_id, import_id, repository_id) do nothing`);
  await tx.execute(sql`
    insert into repository_syncs as s (organization_id, repository_id, last_sync_id, last_attempt_at)
    values (${organizationId}, ${repositoryId}, ${syncId}, clock_timestamp())
    on conflict (organization_id, repository_id) do update set
      last_sync_id = excluded.last_sync_id, last_attempt_at = excluded.last_attempt_at, next_attempt_at = null,
      missed = null`);
}

/** Of rows that are inserted into `repository_syncs as y`: what they say is missed joins what is there. */
export const joinMissed = sql`on conflict (organization_id, repository_id) do update set
  missed = array(select distinct unnest(y.missed || excluded.missed) order by 1)`;

/** Remembers what may have changed while nothing is fetched. */
export async function noteMissed(
  tx: Transaction,
  input: { organizationId: string; repositoryId: string; services: readonly Service[] },
): Promise<void> {
  await tx.execute(sql`
    insert into repository_syncs as y (organization_id, repository_id, missed)
    values (${input.organizationId}, ${input.repositoryId}, ${words(input.services)})
    ${joinMissed}`);
}

/** Of those that the integration keeps current anything may have changed: nobody asked for them meanwhile. */
export async function noteAllMissed(
  tx: Transaction,
  { integrationId, repositoryIds }: { integrationId: string; repositoryIds: readonly string[] },
): Promise<void> {
  if (repositoryIds.length === 0) return;
  await tx.execute(sql`
    insert into repository_syncs as y (organization_id, repository_id, missed)
    select r.organization_id, r.id, n.services from repositories r
    join integrations n on n.organization_id = r.organization_id and n.id = r.integration_id
    where r.id = any (${uuids(repositoryIds)}) and n.id = ${integrationId} and r.first_imported_at is not null
    order by r.id
    ${joinMissed}`);
}

const SERVICE_OF_STREAM = SERVICES.flatMap((service) =>
  STREAMS_OF_SERVICE[service].map((stream) => ({ stream, service })),
);

/** A repository that an import has ended without success. */
export interface LeftRepository {
  repositoryId: string;
  /** something of it may have been read */
  begun: boolean;
}

/**
 * What an import has left unread of repositories that are kept current is missed: no round would come back to it. What it
 * had in hand may be newer than what hangs on it (a pull request, its comments). What waited for its turn was passed
 * over by rounds while its services were off, or while its integration did not fetch it. Services of which nothing was ever
 * read wait for the next import.
 */
export async function noteUnreadByImport(
  tx: Transaction,
  { importId, left }: { importId: string; left: readonly LeftRepository[] },
): Promise<void> {
  if (left.length === 0) return;
  await tx.execute(sql`
    insert into repository_syncs as y (organization_id, repository_id, missed)
    select r.organization_id, r.id, unread.services
    from imports i
    cross join jsonb_to_recordset(${JSON.stringify(left)}::jsonb) as l ("repositoryId" uuid, begun boolean)
    join repositories r on r.organization_id = i.organization_id and r.id = l."repositoryId"
    join integrations reader on reader.organization_id = i.organization_id and reader.id = i.integration_id
    join integrations owner on owner.organization_id = r.organization_id and owner.id = r.integration_id
    cross join lateral (
      select array_agg(distinct m.service order by m.service) as services
      from jsonb_to_recordset(${JSON.stringify(SERVICE_OF_STREAM)}::jsonb) as m (stream text, service text)
      join streams s on s.organization_id = r.organization_id and s.repository_id = r.id and s.stream = m.stream
      where s.state not in ('never', 'unavailable') and m.service = any (owner.services)
        and m.service = any (reader.services) and (i.services is null or m.service = any (i.services))
    ) unread
    where i.id = ${importId} and i.kind = 'import' and r.first_imported_at is not null
      and r.removed_at is null and owner.state <> 'disconnecting' and unread.services is not null
      and (l.begun or i.services is not null or not exists (
        select from import_repositories earlier
        join imports e on e.organization_id = earlier.organization_id and e.id = earlier.import_id
        where earlier.organization_id = r.organization_id and earlier.repository_id = r.id
          and earlier.state = 'completed' and e.integration_id = owner.id))
    order by r.id
    ${joinMissed}`);
}

/** Whether another integration than this one fetches the repository. It cannot be removed until the transaction ends. */
export async function isFetchedByOther(
  tx: Transaction,
  { integrationId, repositoryId }: { integrationId: string; repositoryId: string },
): Promise<boolean> {
  const rows = await tx.execute(sql`
    select from repositories
    where id = ${repositoryId} and integration_id <> ${integrationId} and removed_at is null for share`);
  return rows.length > 0;
}

/**
 * What was missed of a repository before; a sync that begins brings it in too. With what the last one had taken up, if
 * that has no end: an operator ended the run that would have written it.
 */
export async function readMissed(tx: Transaction, repositoryId: string): Promise<Service[]> {
  const [row] = await tx.execute<{ missed: Service[] | null; open: Service[] | null }>(sql`
    select s.missed, i.services as open
    from repository_syncs s
    left join imports i on i.organization_id = s.organization_id and i.id = s.last_sync_id and i.finished_at is null
    where s.repository_id = ${repositoryId} for update of s`);
  return [...(row?.missed ?? []), ...(row?.open ?? [])];
}

/** What a sync took up and has not read to its end is missed again, whoever hears of it next. Written again, it changes nothing. */
export async function noteUnread(
  tx: Transaction,
  { syncId, repositoryId }: { syncId: string; repositoryId: string },
): Promise<void> {
  await tx.execute(sql`
    update repository_syncs s set missed = array(select distinct unnest(s.missed || i.services) order by 1)
    from imports i
    where s.repository_id = ${repositoryId} and s.last_sync_id = ${syncId}
      and i.organization_id = s.organization_id and i.id = s.last_sync_id`);
}

export interface SyncOutcome extends Record<string, unknown> {
  /** `undefined` in neither: a row that is gone counts as cancelled */
  state: ImportRepositoryState;
  error: Finding | null;
}

export async function readSyncOutcome(
  tx: Transaction,
  { syncId, repositoryId }: { syncId: string; repositoryId: string },
): Promise<SyncOutcome | undefined> {
  const [row] = await tx.execute<SyncOutcome>(sql`
    select state, error from import_repositories where import_id = ${syncId} and repository_id = ${repositoryId}`);
  return row;
}

/** Ends the sync's own row. */
export async function endSync(tx: Transaction, syncId: string): Promise<void> {
  await tx.execute(sql`
    update imports i set finished_at = coalesce(i.finished_at, clock_timestamp()),
      waiting_since = null, waiting_until = null, waiting_reason = null,
      state = case (select ir.state from import_repositories ir where ir.import_id = i.id)
        when 'completed' then 'completed' when 'cancelled' then 'cancelled' else 'completed_with_failures' end
    where i.id = ${syncId}`);
}

/** The outcome of a sync is the standing of its repository. Written again, it changes nothing. */
export async function recordSuccess(
  tx: Transaction,
  { syncId, repositoryId }: { syncId: string; repositoryId: string },
): Promise<void> {
  await tx.execute(sql`
    update repository_syncs set last_success_at = clock_timestamp(), failures = 0, failing_since = null,
      last_error = null, next_attempt_at = null
    where repository_id = ${repositoryId} and last_sync_id = ${syncId}`);
}

/**
 * One failure more. Parked for `firstMs`, twice as long with each further one, at most `capMs`; how often it failed, and
 * until when it is parked, ISO. Written again, it changes nothing: `next_attempt_at` is there already.
 */
export async function recordFailure(
  tx: Transaction,
  input: { syncId: string; repositoryId: string; error: Finding; firstMs: number; capMs: number },
): Promise<{ failures: number; until: string } | undefined> {
  const error = jsonText(input.error);
  const [row] = await tx.execute<{ failures: number; until: string }>(sql`
    update repository_syncs set
      failures = case when next_attempt_at is null then failures + 1 else failures end,
      failing_since = coalesce(failing_since, clock_timestamp()), last_error = ${error}::jsonb,
      next_attempt_at = coalesce(next_attempt_at, clock_timestamp() + make_interval(secs =>
        least(${input.capMs}::float8, ${input.firstMs}::float8 * power(2, least(failures, 30))) / 1000))
    where repository_id = ${input.repositoryId} and last_sync_id = ${input.syncId}
    returning failures, to_char(next_attempt_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as until`);
  return row;
}

/** The next repositories of an integration behind `after` that are parked, by id. */
export async function selectParked(
  tx: Transaction,
  { integrationId, after, limit }: { integrationId: string; after: string | null; limit: number },
): Promise<string[]> {
  const rows = await tx.execute<{ id: string }>(sql`
    select r.id from repository_syncs s
    join repositories r on r.organization_id = s.organization_id and r.id = s.repository_id
    where r.integration_id = ${integrationId} and s.next_attempt_at > clock_timestamp()
      and (${after}::uuid is null or r.id > ${after}::uuid)
    order by r.id limit ${limit}`);
  return rows.map(({ id }) => id);
}

export async function isParked(tx: Transaction, repositoryId: string): Promise<boolean> {
  const rows = await tx.execute(sql`
    select from repository_syncs
    where repository_id = ${repositoryId} and next_attempt_at > clock_timestamp()`);
  return rows.length > 0;
}

/**
 * Of the syncs of a repository only the last is kept: the rows would otherwise grow with each push. They come one behind the
 * other, so an older one that is open has lost its runs, and nobody else would end it.
 */
export async function removeOlderSyncs(
  tx: Transaction,
  { syncId, repositoryId }: { syncId: string; repositoryId: string },
): Promise<void> {
  await tx.execute(sql`
    delete from imports i using import_repositories ir, imports own
    where ir.repository_id = ${repositoryId} and own.id = ${syncId}
      and i.organization_id = ir.organization_id and i.id = ir.import_id
      and i.kind = 'sync' and i.created_at < own.created_at`);
}
