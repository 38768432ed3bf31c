import { sql, type SQL } from 'drizzle-orm';
import type { Finding, IntegrationState, Service } from '../../workflows/words.ts';
import type { Transaction } from '../client.ts';
import { escapeJson } from '../text.ts';
import { isoInstant as iso } from './isoInstant.ts';
import { isAbsent } from './presence.ts';

/** Rows of polls. Every function runs inside a transaction of the tenant. */

interface OfIntegration {
  organizationId: string;
  integrationId: string;
}
interface OfWorkspace extends OfIntegration {
  workspaceId: string;
}

/** A repository that a poll finds changed. */
export interface PolledRepository extends Record<string, unknown> {
  repositoryId: string;
  fullName: string;
}

/** Repositories `r` that this integration keeps current: nothing is asked of those that are gone or out of reach. */
const kept = ({ integrationId }: { integrationId: string }): SQL =>
  sql`r.integration_id = ${integrationId} and r.first_imported_at is not null and not ${isAbsent}`;

export interface PollPlan extends Record<string, unknown> {
  state: IntegrationState;
  services: Service[];
  /** how many repositories are kept current */
  repositories: number;
  /** since the round before began, by Postgres' clock; null: there was none */
  sinceMs: number | null;
  /** what the last round asks the next one to wait; null: there was none */
  effectiveIntervalMs: number | null;
}

/** What a round needs to know before it begins; `undefined`: the integration is gone. */
export async function readPollPlan(
  tx: Transaction,
  integration: OfIntegration,
): Promise<PollPlan | undefined> {
  const [row] = await tx.execute<PollPlan>(sql`
    select n.state, n.services, p.effective_interval_ms as "effectiveIntervalMs",
      (extract(epoch from clock_timestamp() - p.last_started_at) * 1000)::float8 as "sinceMs",
      (select count(*)::int from repositories r where ${kept(integration)}) as repositories
    from integrations n
    left join integration_polls p on p.organization_id = n.organization_id and p.integration_id = n.id
    where n.id = ${integration.integrationId}`);
  return row;
}

/** A round begins. */
export async function startPoll(
  tx: Transaction,
  { organizationId, integrationId }: OfIntegration,
): Promise<void> {
  await tx.execute(sql`
    insert into integration_polls (organization_id, integration_id, last_started_at)
    values (${organizationId}, ${integrationId}, clock_timestamp())
    on conflict (organization_id, integration_id) do update set last_started_at = excluded.last_started_at`);
}

/** A round ended. */
export async function endPoll(
  tx: Transaction,
  input: OfIntegration & {
    requests: number;
    found: number;
    effectiveIntervalMs: number;
    error: Finding | null;
  },
): Promise<void> {
  const error = input.error === null ? null : JSON.stringify(escapeJson(input.error));
  await tx.execute(sql`
    update integration_polls set requests = ${input.requests}, found = ${input.found},
      effective_interval_ms = ${input.effectiveIntervalMs}, last_error = ${error}::jsonb,
      last_finished_at = case when ${error}::jsonb is null then clock_timestamp() else last_finished_at end
    where integration_id = ${input.integrationId}`);
}

export interface PolledWorkspace extends Record<string, unknown> {
  workspaceId: string;
  slug: string;
  providerUuid: string;
  /** what changed before this is known, ISO; null: nothing is */
  since: string | null;
  /** its members were not listed for a day */
  membersDue: boolean;
}

/** The workspace itself, or the next one behind `after`, in the order of ids, with repositories to keep current. */
export async function readPolledWorkspace(
  tx: Transaction,
  input: OfIntegration & ({ workspaceId: string } | { after: string | null }),
): Promise<PolledWorkspace | undefined> {
  const which =
    'workspaceId' in input
      ? sql`w.id = ${input.workspaceId}`
      : input.after === null
        ? sql`true`
        : sql`w.id > ${input.after}::uuid`;
  const [row] = await tx.execute<PolledWorkspace>(sql`
    select w.id as "workspaceId", w.slug, w.provider_uuid as "providerUuid", ${iso(sql`p.since`)} as since,
      coalesce(p.members_read_at < clock_timestamp() - interval '1 day', true) as "membersDue"
    from workspaces w
    left join workspace_polls p on p.organization_id = w.organization_id and p.workspace_id = w.id
      and p.integration_id = ${input.integrationId}
    where ${which} and exists (select from repositories r where r.workspace_id = w.id and ${kept(input)})
    order by w.id limit 1`);
  return row;
}

/** All that changed before `since` is found. */
export async function endWorkspacePoll(
  tx: Transaction,
  input: OfWorkspace & { since: string; method: 'authors' | 'repositories' | null },
): Promise<void> {
  await tx.execute(sql`
    insert into workspace_polls as p (organization_id, integration_id, workspace_id, since, method)
    values (${input.organizationId}, ${input.integrationId}, ${input.workspaceId}, ${input.since}, ${input.method})
    on conflict (organization_id, integration_id, workspace_id) do update set
      since = greatest(p.since, excluded.since), method = coalesce(excluded.method, p.method)`);
}

/**
 * Which of the repositories that Bitbucket says were updated then are kept current, were not told of since, and not read
 * since: `overlapMs` is how far Bitbucket's clock and ours may lie apart.
 */
export async function selectPushed(
  tx: Transaction,
  input: OfIntegration & { updated: readonly { uuid: string; at: string | null }[]; overlapMs: number },
): Promise<PolledRepository[]> {
  return tx.execute<PolledRepository>(sql`
    select r.id as "repositoryId", r.full_name as "fullName"
    from jsonb_to_recordset(${JSON.stringify(input.updated)}::jsonb) as u (uuid text, at timestamptz)
    join repositories r on r.organization_id = ${input.organizationId} and r.provider_uuid = u.uuid
    left join repository_syncs y on y.organization_id = r.organization_id and y.repository_id = r.id
    where ${kept(input)} and coalesce(u.at > y.pushed_on, true)
      and coalesce(u.at + make_interval(secs => ${input.overlapMs / 1000}) >= (
        select max(ir.started_at) from import_repositories ir
        join imports i on i.organization_id = ir.organization_id and i.id = ir.import_id
        where ir.organization_id = r.organization_id and ir.repository_id = r.id and ir.state = 'completed'
          and (i.services is null or 'repositories' = any (i.services))), true)
    order by r.id`);
}

/** These were told of: until they are updated again, a poll need not tell them once more. */
export async function notePushed(
  tx: Transaction,
  input: OfIntegration & { updated: readonly { uuid: string; at: string | null }[] },
): Promise<void> {
  await tx.execute(sql`
    insert into repository_syncs as y (organization_id, repository_id, pushed_on)
    select r.organization_id, r.id, u.at
    from jsonb_to_recordset(${JSON.stringify(input.updated)}::jsonb) as u (uuid text, at timestamptz)
    join repositories r on r.organization_id = ${input.organizationId} and r.provider_uuid = u.uuid
    where ${kept(input)} and u.at is not null
    order by r.id
    on conflict (organization_id, repository_id) do update set pushed_on = excluded.pushed_on
    where y.pushed_on is distinct from excluded.pushed_on`);
}

/** How many there are to ask for changed pull requests: authors of the workspace, or its repositories that are due. */
export async function countAskable(
  tx: Transaction,
  input: OfWorkspace,
): Promise<{ authors: number; repositories: number }> {
  const [row] = await tx.execute<{ authors: number; repositories: number }>(sql`
    select (select count(*)::int from workspace_authors a where a.workspace_id = ${input.workspaceId}) as authors,
      (select count(*)::int from repositories r where r.workspace_id = ${input.workspaceId} and ${kept(input)})
        as repositories`);
  return row ?? { authors: 0, repositories: 0 };
}

/** The authors that are stored already, daily: the accounts that wrote its pull requests. */
export async function rememberAuthors(
  tx: Transaction,
  { organizationId, workspaceId }: OfWorkspace,
): Promise<void> {
  await tx.execute(sql`
    insert into workspace_authors (organization_id, workspace_id, author_uuid, seen_at)
    select distinct ${organizationId}::uuid, ${workspaceId}::uuid, p.author_uuid, clock_timestamp()
    from repositories r
    join pull_requests p on p.organization_id = r.organization_id and p.repository_id = r.id
    where r.workspace_id = ${workspaceId} and p.author_uuid is not null
    on conflict (organization_id, workspace_id, author_uuid) do nothing`);
}

/** Who may write pull requests, as the list of members says. */
export async function rememberMembers(
  tx: Transaction,
  { organizationId, workspaceId, uuids }: OfWorkspace & { uuids: readonly string[] },
): Promise<void> {
  await tx.execute(sql`
    insert into workspace_authors (organization_id, workspace_id, author_uuid, seen_at)
    select ${organizationId}::uuid, ${workspaceId}::uuid, u.uuid, clock_timestamp()
    from jsonb_array_elements_text(${JSON.stringify(uuids)}::jsonb) as u (uuid)
    order by u.uuid
    on conflict (organization_id, workspace_id, author_uuid) do nothing`);
}

/** The members are listed for today. */
export async function endMembers(tx: Transaction, input: OfWorkspace): Promise<void> {
  await tx.execute(sql`
    insert into workspace_polls (organization_id, integration_id, workspace_id, members_read_at)
    values (${input.organizationId}, ${input.integrationId}, ${input.workspaceId}, clock_timestamp())
    on conflict (organization_id, integration_id, workspace_id) do update set
      members_read_at = excluded.members_read_at`);
}

/** The next author behind `after`, in the order of uuids. */
export async function nextAuthor(
  tx: Transaction,
  { workspaceId, after }: { workspaceId: string; after: string | null },
): Promise<string | undefined> {
  const [row] = await tx.execute<{ uuid: string }>(sql`
    select author_uuid as uuid from workspace_authors
    where workspace_id = ${workspaceId} and ${after === null ? sql`true` : sql`author_uuid > ${after}`}
    order by author_uuid limit 1`);
  return row?.uuid;
}

/**
 * Bitbucket does not show what an author wrote. True: nor did it an hour ago and longer, so that nobody asks again until
 * the author is met again.
 */
export async function noteRefused(
  tx: Transaction,
  { workspaceId, uuid }: { workspaceId: string; uuid: string },
): Promise<boolean> {
  const gone = await tx.execute(sql`
    delete from workspace_authors
    where workspace_id = ${workspaceId} and author_uuid = ${uuid}
      and refused_at < clock_timestamp() - interval '1 hour'
    returning author_uuid`);
  if (gone.length > 0) return true;
  await tx.execute(sql`
    update workspace_authors set refused_at = clock_timestamp()
    where workspace_id = ${workspaceId} and author_uuid = ${uuid} and refused_at is null`);
  return false;
}

/** Which repositories have one of these pull requests in an older version, or not at all. */
export async function selectWithNewerPullRequests(
  tx: Transaction,
  input: OfIntegration & { seen: readonly { repository: string; number: number; updated: string }[] },
): Promise<PolledRepository[]> {
  return tx.execute<PolledRepository>(sql`
    select distinct r.id as "repositoryId", r.full_name as "fullName"
    from jsonb_to_recordset(${JSON.stringify(input.seen)}::jsonb)
      as s (repository text, number integer, updated timestamptz)
    join repositories r on r.organization_id = ${input.organizationId} and r.provider_uuid = s.repository
    left join pull_requests p on p.organization_id = r.organization_id and p.repository_id = r.id
      and p.number = s.number
    where ${kept(input)} and (p.updated_on is null or p.updated_on < s.updated)
    order by r.id`);
}

export interface DueRepository extends PolledRepository {
  /** of its newest pull request; null: none is stored */
  newest: string | null;
}

/**
 * The next repository behind `after`, in the order of ids, whose pull requests are to be asked for. The longer they rest,
 * the seldomer: `quietShare` of the time since the last change must have passed since it was asked, at most a day.
 */
export async function nextDueRepository(
  tx: Transaction,
  input: OfWorkspace & { after: string | null },
): Promise<DueRepository | undefined> {
  const [row] = await tx.execute<DueRepository>(sql`
    select r.id as "repositoryId", r.full_name as "fullName", ${iso(sql`newest.at`)} as newest
    from repositories r
    left join repository_syncs y on y.organization_id = r.organization_id and y.repository_id = r.id
    cross join lateral (select max(p.updated_on) as at from pull_requests p
      where p.organization_id = r.organization_id and p.repository_id = r.id) newest
    where r.workspace_id = ${input.workspaceId} and ${kept(input)}
      and ${input.after === null ? sql`true` : sql`r.id > ${input.after}::uuid`}
      and (y.polled_at is null or y.polled_at < clock_timestamp() - least(interval '1 day',
        (clock_timestamp() - coalesce(newest.at, r.created_on, r.first_imported_at)) / 24))
    order by r.id limit 1`);
  return row;
}

/** Notes that a repository was asked for. Makes its row where there is none. */
export async function notePolled(
  tx: Transaction,
  {
    organizationId,
    repositoryId,
    rotated,
  }: { organizationId: string; repositoryId: string; rotated: boolean },
): Promise<void> {
  const now = sql`clock_timestamp()`;
  await tx.execute(
    rotated
      ? sql`insert into repository_syncs (organization_id, repository_id, rotated_at)
          values (${organizationId}, ${repositoryId}, ${now})
          on conflict (organization_id, repository_id) do update set rotated_at = excluded.rotated_at`
      : sql`insert into repository_syncs (organization_id, repository_id, polled_at)
          values (${organizationId}, ${repositoryId}, ${now})
          on conflict (organization_id, repository_id) do update set polled_at = excluded.polled_at`,
  );
}

export interface RotatedRepository extends PolledRepository {
  hasIssues: boolean | null;
}

/** The repository that the rotation has not looked at for longest, and not since `before`. */
export async function nextInRotation(
  tx: Transaction,
  input: OfIntegration & { before: string },
): Promise<RotatedRepository | undefined> {
  const [row] = await tx.execute<RotatedRepository>(sql`
    select r.id as "repositoryId", r.full_name as "fullName", r.has_issues as "hasIssues"
    from repositories r
    left join repository_syncs y on y.organization_id = r.organization_id and y.repository_id = r.id
    where ${kept(input)} and coalesce(y.rotated_at, r.first_imported_at) < ${input.before}::timestamptz
    order by coalesce(y.rotated_at, r.first_imported_at), r.id limit 1`);
  return row;
}

/** Whether one of these entries of the activity feed is not stored. */
export async function hasUnknownEntry(
  tx: Transaction,
  input: { repositoryId: string; entries: readonly { number: number; key: string }[] },
): Promise<boolean> {
  const [row] = await tx.execute<{ unknown: boolean }>(sql`
    select exists (
      select from jsonb_to_recordset(${JSON.stringify(input.entries)}::jsonb) as e (number integer, key text)
      where not exists (select from pull_request_activity a
        where a.repository_id = ${input.repositoryId} and a.pull_request_number = e.number and a.entry_key = e.key)
    ) as unknown`);
  return row?.unknown === true;
}

/** The next repositories that are kept current, behind `after`, in the order of ids. */
export async function listKept(
  tx: Transaction,
  input: OfIntegration & { after: string | null; limit: number },
): Promise<PolledRepository[]> {
  return tx.execute<PolledRepository>(sql`
    select r.id as "repositoryId", r.full_name as "fullName" from repositories r
    where ${kept(input)} and ${input.after === null ? sql`true` : sql`r.id > ${input.after}::uuid`}
    order by r.id limit ${input.limit}`);
}

/** Those of a workspace that are kept current. */
export async function listKeptOf(tx: Transaction, input: OfWorkspace): Promise<PolledRepository[]> {
  return tx.execute<PolledRepository>(sql`
    select r.id as "repositoryId", r.full_name as "fullName" from repositories r
    where r.workspace_id = ${input.workspaceId} and ${kept(input)} order by r.id`);
}

/** What was missed while nothing was fetched: for the next round to take up. */
export async function listMissed(
  tx: Transaction,
  input: OfIntegration,
): Promise<(PolledRepository & { services: Service[] })[]> {
  return tx.execute<PolledRepository & { services: Service[] }>(sql`
    select r.id as "repositoryId", r.full_name as "fullName", y.missed as services
    from repository_syncs y
    join repositories r on r.organization_id = y.organization_id and r.id = y.repository_id
    where ${kept(input)} and y.missed is not null order by r.id`);
}

/** The account whose allowance the integration's requests count for; null: it has no credential. */
export async function readAccountKey(
  tx: Transaction,
  { integrationId }: { integrationId: string },
): Promise<string | null> {
  const [row] = await tx.execute<{ key: string | null }>(sql`
    select coalesce(c.account_key, 'credential:' || c.id::text) as key
    from integrations n
    join credentials c on c.organization_id = n.organization_id and c.id = n.credential_id
    where n.id = ${integrationId}`);
  return row?.key ?? null;
}
