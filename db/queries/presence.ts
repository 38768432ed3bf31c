import { sql, type SQL } from 'drizzle-orm';
import type { Presence } from '../../workflows/words.ts';
import type { Transaction } from '../client.ts';
import type { Scope } from './discovery.ts';
import { uuids } from './uuids.ts';

/**
 * What discoveries find missing. `since` is always the begin of a discovery by Postgres' clock, as text: what it did not see
 * has an older `last_seen_at`. Every function runs inside a transaction of the tenant.
 */
interface Compared {
  since: string;
  /** of the only project whose repositories were listed; undefined: all of the workspace were */
  projectKey: string | undefined;
}

const inProject = (projectKey: string | undefined): SQL =>
  projectKey === undefined
    ? sql`true`
    : sql`exists (select from projects p where p.organization_id = r.organization_id and p.id = r.project_id
        and p.key = ${projectKey})`;

/** Whether the integration that fetches the repository `r` has found that it is not there for it any more. */
export const isAbsent = sql`exists (
  select from integration_repositories l
  where l.organization_id = r.organization_id and l.integration_id = r.integration_id and l.repository_id = r.id
    and l.presence <> 'present')`;

/** This discovery has read the list of the workspace's repositories to its end. */
export async function noteListed(
  tx: Transaction,
  { organizationId, integrationId }: Scope,
  { workspaceUuid, since }: { workspaceUuid: string; since: string },
): Promise<void> {
  await tx.execute(sql`
    update integration_workspaces l set listed_at = ${since}::timestamptz
    from workspaces w
    where w.organization_id = ${organizationId} and w.provider_uuid = ${workspaceUuid}
      and l.organization_id = w.organization_id and l.integration_id = ${integrationId} and l.workspace_id = w.id`);
}

export interface ListedWorkspace extends Record<string, unknown> {
  workspaceId: string;
  slug: string;
  /** repositories that the integration has seen there and that are not marked as absent, nor kept by a person */
  known: number;
  /** a person is asked about some of them */
  asked: boolean;
}

/** The workspaces whose lists this discovery has read to their ends, and whose repositories are known. */
export async function selectListed(
  tx: Transaction,
  { integrationId }: Scope,
  { since, projectKey }: Compared,
): Promise<ListedWorkspace[]> {
  return tx.execute<ListedWorkspace>(sql`
    select w.id as "workspaceId", w.slug, count(*)::int as known, bool_or(l.asked_at is not null) as asked
    from integration_workspaces seen
    join workspaces w on w.organization_id = seen.organization_id and w.id = seen.workspace_id
    join repositories r on r.organization_id = w.organization_id and r.workspace_id = w.id
    join integration_repositories l on l.organization_id = r.organization_id
      and l.integration_id = seen.integration_id and l.repository_id = r.id
    where seen.integration_id = ${integrationId} and seen.listed_at >= ${since}::timestamptz
      and l.presence = 'present' and l.kept_at is null and ${inProject(projectKey)}
    group by w.id, w.slug order by w.id`);
}

export interface MissingRepository extends Record<string, unknown> {
  repositoryId: string;
  /** milliseconds between the end of the discovery that missed it first and the begin of this one; null: this is the first */
  missingForMs: number | null;
}

/** The columns of a MissingRepository, of an `integration_repositories` l. */
const missing = (since: string): SQL => sql`l.repository_id as "repositoryId",
  (extract(epoch from ${since}::timestamptz - l.missing_since) * 1000)::float8 as "missingForMs"`;

/** Those of the known repositories of a workspace that this discovery did not see. */
export async function selectMissing(
  tx: Transaction,
  { integrationId }: Scope,
  { workspaceId, since, projectKey }: Compared & { workspaceId: string },
): Promise<MissingRepository[]> {
  return tx.execute<MissingRepository>(sql`
    select ${missing(since)}
    from repositories r
    join integration_repositories l on l.organization_id = r.organization_id and l.repository_id = r.id
    where r.workspace_id = ${workspaceId} and l.integration_id = ${integrationId}
      and l.presence = 'present' and l.kept_at is null and l.last_seen_at < ${since}::timestamptz
      and ${inProject(projectKey)}
    order by l.repository_id`);
}

/**
 * Those that this discovery did not see and that are now in a workspace where the integration never saw anything: another
 * integration saw them move there. No list of this one can lack them.
 */
export async function selectMovedAway(
  tx: Transaction,
  { integrationId }: Scope,
  { since }: { since: string },
): Promise<MissingRepository[]> {
  return tx.execute<MissingRepository>(sql`
    select ${missing(since)}
    from integration_repositories l
    join repositories r on r.organization_id = l.organization_id and r.id = l.repository_id
    where l.integration_id = ${integrationId} and l.presence = 'present' and l.kept_at is null
      and l.last_seen_at < ${since}::timestamptz
      and not exists (select from integration_workspaces w where w.organization_id = l.organization_id
        and w.integration_id = l.integration_id and w.workspace_id = r.workspace_id)
    order by l.repository_id`);
}

/** Remembers since when they are missing: not since the list was read, but since all of this discovery was. */
export async function noteMissing(
  tx: Transaction,
  { integrationId }: Scope,
  { repositoryIds, since }: { repositoryIds: readonly string[]; since: string },
): Promise<void> {
  await tx.execute(sql`
    update integration_repositories set missing_since = clock_timestamp()
    where integration_id = ${integrationId} and repository_id = any (${uuids(repositoryIds)})
      and missing_since is null and last_seen_at < ${since}::timestamptz`);
}

/** This discovery looks each of them up by itself. */
export async function suspect(
  tx: Transaction,
  { integrationId }: Scope,
  { repositoryIds, since }: { repositoryIds: readonly string[]; since: string },
): Promise<void> {
  await tx.execute(sql`
    update integration_repositories set suspected_at = ${since}::timestamptz
    where integration_id = ${integrationId} and repository_id = any (${uuids(repositoryIds)})`);
}

/** Asks a person about these. How many are asked about only now. */
export async function askAbout(
  tx: Transaction,
  { integrationId }: Scope,
  repositoryIds: readonly string[],
): Promise<number> {
  const asked = await tx.execute(sql`
    update integration_repositories set asked_at = clock_timestamp()
    where integration_id = ${integrationId} and repository_id = any (${uuids(repositoryIds)})
      and presence = 'present' and missing_since is not null and asked_at is null
    returning repository_id`);
  return asked.length;
}

export interface Suspect extends Record<string, unknown> {
  repositoryId: string;
  providerUuid: string;
  fullName: string;
  /** another integration of the organization has seen it since this one missed it first */
  seenByAnother: boolean;
}

/** The next repository behind `after` that this discovery looks up by itself, and that was not seen meanwhile. */
export async function nextSuspect(
  tx: Transaction,
  { integrationId }: Scope,
  { since, after }: { since: string; after: string | null },
): Promise<Suspect | undefined> {
  const [row] = await tx.execute<Suspect>(sql`
    select r.id as "repositoryId", r.provider_uuid as "providerUuid", r.full_name as "fullName",
      exists (select from integration_repositories other
        where other.organization_id = l.organization_id and other.repository_id = l.repository_id
          and other.integration_id <> l.integration_id and other.presence = 'present'
          and other.last_seen_at > l.missing_since) as "seenByAnother"
    from integration_repositories l
    join repositories r on r.organization_id = l.organization_id and r.id = l.repository_id
    where l.integration_id = ${integrationId} and l.suspected_at >= ${since}::timestamptz
      and l.presence = 'present' and l.missing_since is not null
      and ${after === null ? sql`true` : sql`l.repository_id > ${after}::uuid`}
    order by l.repository_id limit 1`);
  return row;
}

/** Marks a repository that is missing. False: it was seen, or marked, meanwhile. */
export async function markAbsent(
  tx: Transaction,
  { integrationId }: Scope,
  { repositoryId, presence }: { repositoryId: string; presence: Exclude<Presence, 'present'> },
): Promise<boolean> {
  const marked = await tx.execute(sql`
    update integration_repositories set presence = ${presence}, presence_since = clock_timestamp(),
      missing_since = null
    where integration_id = ${integrationId} and repository_id = ${repositoryId}
      and presence = 'present' and missing_since is not null and asked_at is null and kept_at is null
    returning repository_id`);
  return marked.length > 0;
}

export interface UnlistedWorkspace extends Record<string, unknown> {
  workspaceId: string;
  slug: string;
  /** how many of its repositories are out of reach since */
  repositories: number;
}

/**
 * Workspaces that the list of this discovery lacks: remembered, and where two lists lack them `goneAfterMs` apart, their
 * repositories are marked as out of reach. Gives the workspaces of these.
 */
export async function markUnlisted(
  tx: Transaction,
  { integrationId }: Scope,
  { since, goneAfterMs }: { since: string; goneAfterMs: number },
): Promise<UnlistedWorkspace[]> {
  await tx.execute(sql`
    update integration_workspaces set missing_since = clock_timestamp()
    where integration_id = ${integrationId} and last_seen_at < ${since}::timestamptz and missing_since is null`);
  return tx.execute<UnlistedWorkspace>(sql`
    with marked as (
      update integration_repositories l set presence = 'no_access', presence_since = clock_timestamp(),
        missing_since = null, asked_at = null, kept_at = null
      from repositories r
      join integration_workspaces w on w.organization_id = r.organization_id and w.workspace_id = r.workspace_id
      where r.organization_id = l.organization_id and r.id = l.repository_id
        and l.integration_id = ${integrationId} and w.integration_id = l.integration_id and l.presence = 'present'
        and w.last_seen_at < ${since}::timestamptz and l.last_seen_at < ${since}::timestamptz
        and w.missing_since <= ${since}::timestamptz - make_interval(secs => ${goneAfterMs}::float8 / 1000)
      returning r.workspace_id
    )
    select w.id as "workspaceId", w.slug, count(*)::int as repositories
    from marked m join workspaces w on w.id = m.workspace_id
    group by w.id, w.slug order by w.id`);
}

/** A person's word on what vanished: it is gone (also what was kept before), or to be left as it is. How many that changed. */
export async function settleVanished(
  tx: Transaction,
  { integrationId }: Scope,
  decision: 'gone' | 'keep',
): Promise<number> {
  const settled = await tx.execute(
    decision === 'gone'
      ? sql`
        update integration_repositories set presence = 'gone', presence_since = clock_timestamp(),
          missing_since = null, asked_at = null, kept_at = null
        where integration_id = ${integrationId} and presence = 'present' and missing_since is not null
          and (asked_at is not null or kept_at is not null)
        returning repository_id`
      : sql`
        update integration_repositories set kept_at = clock_timestamp(), asked_at = null
        where integration_id = ${integrationId} and asked_at is not null
        returning repository_id`,
  );
  return settled.length;
}

/** Names of repositories, by their ids. */
export async function readFullNames(tx: Transaction, ids: readonly string[]): Promise<Map<string, string>> {
  const rows = await tx.execute<{ id: string; fullName: string }>(sql`
    select id, full_name as "fullName" from repositories where id = any (${uuids(ids)})`);
  return new Map([...rows].map(({ id, fullName }) => [id, fullName]));
}

export interface DiscoveryAge extends Record<string, unknown> {
  /** milliseconds since the last one began; null: there was none */
  sinceMs: number | null;
  failed: boolean;
  /** milliseconds since it missed a repository or a workspace for the first time: another one has to agree; null: it did not */
  missedForMs: number | null;
}

/** How long ago the integration's last discovery was. */
export async function readDiscoveryAge(tx: Transaction, { integrationId }: Scope): Promise<DiscoveryAge> {
  const [row] = await tx.execute<DiscoveryAge>(sql`
    select (extract(epoch from clock_timestamp() - began.at) * 1000)::float8 as "sinceMs",
      n.discovery_state = 'failed' as failed,
      (extract(epoch from clock_timestamp() - greatest(
        (select max(l.missing_since) from integration_repositories l
          where l.integration_id = n.id and l.presence = 'present' and l.missing_since >= began.at),
        (select max(w.missing_since) from integration_workspaces w
          where w.integration_id = n.id and w.missing_since >= began.at))) * 1000)::float8 as "missedForMs"
    from integrations n
    cross join lateral (select coalesce(n.discovery_started_at, n.last_discovery_at) as at) began
    where n.id = ${integrationId}`);
  return row ?? { sinceMs: null, failed: false, missedForMs: null };
}
