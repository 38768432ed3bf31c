import { sql, type SQL } from 'drizzle-orm';
import type { Finding, Presence } from '../../workflows/words.ts';
import type { Transaction } from '../client.ts';
import { jsonText } from './jsonText.ts';

/**
 * What discovery finds. Natural keys are Bitbucket's uuids, so a renamed thing stays the same row. Of workspaces and
 * projects a null means "this answer does not say" and keeps what is stored. Older observations never win, and a row
 * that says the same writes nothing. Text must be escaped already (`db/text.ts`).
 */
export interface Scope {
  organizationId: string;
  integrationId: string;
}

export interface WorkspaceRow {
  id: string;
  provider_uuid: string;
  slug: string;
  name: string | null;
  is_private: boolean | null;
  created_on: string | null;
  observed_at: string;
}

export interface ProjectRow {
  id: string;
  provider_uuid: string;
  workspace_uuid: string;
  key: string;
  name: string | null;
  description: string | null;
  is_private: boolean | null;
  created_on: string | null;
  updated_on: string | null;
  observed_at: string;
}

export interface RepositoryRow {
  id: string;
  provider_uuid: string;
  workspace_uuid: string;
  project_uuid: string | null;
  slug: string;
  name: string;
  full_name: string;
  description: string | null;
  is_private: boolean;
  language: string | null;
  main_branch: string | null;
  size_bytes: number | null;
  parent_uuid: string | null;
  has_issues: boolean | null;
  created_on: string | null;
  updated_on: string | null;
  raw: unknown;
  observed_at: string;
}

const rowsParameter = (rows: readonly object[]): SQL => sql`${JSON.stringify(rows)}::jsonb`;
const listParameter = (texts: readonly string[]): SQL =>
  sql`(select jsonb_array_elements_text(${JSON.stringify(texts)}::jsonb))`;

export async function upsertWorkspaces(
  tx: Transaction,
  { organizationId }: Scope,
  rows: readonly WorkspaceRow[],
): Promise<void> {
  await tx.execute(sql`
    insert into workspaces as t
      (id, organization_id, provider_uuid, slug, name, is_private, created_on, observed_at)
    select i.id, ${organizationId}, i.provider_uuid, i.slug, coalesce(i.name, s.name, i.slug),
      coalesce(i.is_private, s.is_private), coalesce(i.created_on, s.created_on), i.observed_at
    from jsonb_to_recordset(${rowsParameter(rows)}) as i(id uuid, provider_uuid text, slug text, name text,
      is_private boolean, created_on timestamptz, observed_at timestamptz)
    left join workspaces s on s.organization_id = ${organizationId} and s.provider_uuid = i.provider_uuid
    order by i.provider_uuid
    on conflict (organization_id, provider_uuid) do update set slug = excluded.slug, name = excluded.name,
      is_private = excluded.is_private, created_on = excluded.created_on, observed_at = excluded.observed_at
    where excluded.observed_at >= t.observed_at
      and (excluded.slug, excluded.name, excluded.is_private, excluded.created_on)
        is distinct from (t.slug, t.name, t.is_private, t.created_on)`);
}

/** What workspaces that are stored are called at `observed_at` (ISO); others are left to a discovery. */
export async function renameWorkspaces(
  tx: Transaction,
  { organizationId }: Scope,
  rows: readonly Pick<WorkspaceRow, 'provider_uuid' | 'slug' | 'observed_at'>[],
): Promise<void> {
  await tx.execute(sql`
    update workspaces w set slug = i.slug, observed_at = i.observed_at
    from jsonb_to_recordset(${rowsParameter(rows)}) as i(provider_uuid text, slug text, observed_at timestamptz)
    where w.organization_id = ${organizationId} and w.provider_uuid = i.provider_uuid and w.slug <> i.slug
      and w.observed_at <= i.observed_at`);
}

export async function upsertProjects(
  tx: Transaction,
  { organizationId }: Scope,
  rows: readonly ProjectRow[],
): Promise<void> {
  await tx.execute(sql`
    insert into projects as t (id, organization_id, workspace_id, provider_uuid, key, name, description, is_private,
      created_on, updated_on, observed_at)
    select i.id, ${organizationId}, w.id, i.provider_uuid, i.key, coalesce(i.name, s.name, i.key),
      coalesce(i.description, s.description), coalesce(i.is_private, s.is_private),
      coalesce(i.created_on, s.created_on), coalesce(i.updated_on, s.updated_on), i.observed_at
    from jsonb_to_recordset(${rowsParameter(rows)}) as i(id uuid, provider_uuid text, workspace_uuid text, key text,
      name text, description text, is_private boolean, created_on timestamptz, updated_on timestamptz,
      observed_at timestamptz)
    join workspaces w on w.organization_id = ${organizationId} and w.provider_uuid = i.workspace_uuid
    left join projects s on s.organization_id = ${organizationId} and s.provider_uuid = i.provider_uuid
    order by i.provider_uuid
    on conflict (organization_id, provider_uuid) do update set workspace_id = excluded.workspace_id,
      key = excluded.key, name = excluded.name, description = excluded.description,
      is_private = excluded.is_private, created_on = excluded.created_on, updated_on = excluded.updated_on,
      observed_at = excluded.observed_at
    where excluded.observed_at >= t.observed_at
      and (excluded.workspace_id, excluded.key, excluded.name, excluded.description, excluded.is_private,
          excluded.created_on, excluded.updated_on)
        is distinct from (t.workspace_id, t.key, t.name, t.description, t.is_private, t.created_on, t.updated_on)`);
}

/** A repository whose row was there and says something else now; the row itself stays the same. */
export interface ChangedRepository extends Record<string, unknown> {
  id: string;
  fullName: string;
  oldFullName: string;
  workspaceId: string;
  oldWorkspaceId: string;
  projectId: string | null;
  oldProjectId: string | null;
}

/** Gives those that were known and are stored otherwise now. */
export async function upsertRepositories(
  tx: Transaction,
  { organizationId }: Scope,
  rows: readonly RepositoryRow[],
): Promise<ChangedRepository[]> {
  const stored = await tx.execute<ChangedRepository & { known: boolean }>(sql`
    insert into repositories as t (id, organization_id, workspace_id, project_id, provider_uuid, slug, name, full_name,
      description, is_private, language, main_branch, size_bytes, parent_uuid, has_issues, created_on, updated_on, raw,
      observed_at)
    select i.id, ${organizationId}, w.id, p.id, i.provider_uuid, i.slug, i.name, i.full_name, i.description,
      i.is_private, i.language, i.main_branch, i.size_bytes, i.parent_uuid, i.has_issues, i.created_on, i.updated_on,
      i.raw, i.observed_at
    from jsonb_to_recordset(${rowsParameter(rows)}) as i(id uuid, provider_uuid text, workspace_uuid text,
      project_uuid text, slug text, name text, full_name text, description text, is_private boolean, language text,
      main_branch text, size_bytes bigint, parent_uuid text, has_issues boolean, created_on timestamptz,
      updated_on timestamptz, raw jsonb, observed_at timestamptz)
    join workspaces w on w.organization_id = ${organizationId} and w.provider_uuid = i.workspace_uuid
    left join projects p on p.organization_id = ${organizationId} and p.provider_uuid = i.project_uuid
    order by i.provider_uuid
    on conflict (organization_id, provider_uuid) do update set workspace_id = excluded.workspace_id,
      project_id = excluded.project_id, slug = excluded.slug, name = excluded.name, full_name = excluded.full_name,
      description = excluded.description, is_private = excluded.is_private, language = excluded.language,
      main_branch = excluded.main_branch, size_bytes = excluded.size_bytes, parent_uuid = excluded.parent_uuid,
      has_issues = excluded.has_issues, created_on = excluded.created_on, updated_on = excluded.updated_on,
      raw = excluded.raw, observed_at = excluded.observed_at
    where excluded.observed_at >= t.observed_at
      and (excluded.workspace_id, excluded.project_id, excluded.raw) is distinct from (t.workspace_id, t.project_id, t.raw)
    returning new.id, old.id is not null as known, new.full_name as "fullName", old.full_name as "oldFullName",
      new.workspace_id as "workspaceId", old.workspace_id as "oldWorkspaceId", new.project_id as "projectId",
      old.project_id as "oldProjectId"`);
  return stored.filter(({ known }) => known);
}

/** Keeps what repositories were called before. One that has its old name again is remembered by the one between. */
export async function rememberNames(
  tx: Transaction,
  { organizationId }: Scope,
  renamed: readonly Pick<ChangedRepository, 'id' | 'oldFullName'>[],
): Promise<void> {
  const rows = renamed.map(({ id, oldFullName }) => ({ id, full_name: oldFullName }));
  await tx.execute(sql`
    insert into repository_names as t (organization_id, repository_id, full_name)
    select ${organizationId}, i.id, i.full_name
    from jsonb_to_recordset(${rowsParameter(rows)}) as i(id uuid, full_name text) order by i.id
    on conflict (organization_id, repository_id, full_name) do update set replaced_at = clock_timestamp()`);
}

/** The account sees these workspaces now. `administrator` null: this answer does not say. */
export async function linkWorkspaces(
  tx: Transaction,
  { organizationId, integrationId }: Scope,
  links: readonly { provider_uuid: string; administrator: boolean | null }[],
): Promise<void> {
  await tx.execute(sql`
    insert into integration_workspaces as t (organization_id, integration_id, workspace_id, administrator)
    select ${organizationId}, ${integrationId}, w.id, i.administrator
    from jsonb_to_recordset(${rowsParameter(links)}) as i(provider_uuid text, administrator boolean)
    join workspaces w on w.organization_id = ${organizationId} and w.provider_uuid = i.provider_uuid
    order by w.id
    on conflict (organization_id, integration_id, workspace_id) do update
      set administrator = coalesce(excluded.administrator, t.administrator), last_seen_at = clock_timestamp(),
        missing_since = null`);
}

/** A repository that the account sees now and did not see before, or was thought not to. */
export interface SeenRepository extends Record<string, unknown> {
  id: string;
  /** null: it sees it for the first time */
  before: Presence | null;
  /** a person was asked about it */
  asked: boolean;
}

/**
 * The account sees these repositories now: whatever was said of their absence is over. Those that it sees no more keep
 * their older `last_seen_at`. Gives those of which this is news.
 */
export async function linkRepositories(
  tx: Transaction,
  { organizationId, integrationId }: Scope,
  providerUuids: readonly string[],
): Promise<SeenRepository[]> {
  const linked = await tx.execute<SeenRepository>(sql`
    insert into integration_repositories as t (organization_id, integration_id, repository_id)
    select ${organizationId}, ${integrationId}, r.id
    from repositories r
    where r.organization_id = ${organizationId} and r.provider_uuid in ${listParameter(providerUuids)}
    order by r.id
    on conflict (organization_id, integration_id, repository_id) do update set last_seen_at = clock_timestamp(),
      presence = 'present', missing_since = null, asked_at = null, kept_at = null,
      presence_since = case when t.presence = 'present' then t.presence_since else clock_timestamp() end
    returning new.repository_id as id, old.presence as before, old.asked_at is not null as asked`);
  return linked.filter(({ before, asked }) => before !== 'present' || asked);
}

/** A discovery of the integration has ended well. */
export async function wasDiscovered(tx: Transaction, { integrationId }: Scope): Promise<boolean> {
  const rows = await tx.execute(sql`
    select from integrations where id = ${integrationId} and last_discovery_at is not null`);
  return rows.length > 0;
}

export interface NextWorkspace {
  id: string;
  provider_uuid: string;
  slug: string;
  /** what the list of workspaces does not give is stored already */
  described: boolean;
}

/** The next workspace that this discovery has seen, by id. */
export async function nextWorkspace(
  tx: Transaction,
  { integrationId }: Scope,
  { since, after }: { since: string; after: string | null },
): Promise<NextWorkspace | undefined> {
  const rows = await tx.execute<NextWorkspace & Record<string, unknown>>(sql`
    select w.id, w.provider_uuid, w.slug, w.created_on is not null as described
    from integration_workspaces l join workspaces w on w.id = l.workspace_id
    where l.integration_id = ${integrationId} and l.last_seen_at >= ${since}::timestamptz
      and (${after}::uuid is null or w.id > ${after}::uuid)
    order by w.id limit 1`);
  return [...rows][0];
}

/** Keeps the integration from being removed until the transaction ends; false: it is being removed, or gone. */
export async function holdIntegration(tx: Transaction, { integrationId }: Scope): Promise<boolean> {
  const rows = await tx.execute(sql`
    select from integrations where id = ${integrationId} and state <> 'disconnecting' for share`);
  return rows.length > 0;
}

export async function startDiscovery(tx: Transaction, { integrationId }: Scope): Promise<void> {
  await tx.execute(sql`
    update integrations set discovery_state = 'running', discovery_started_at = clock_timestamp()
    where id = ${integrationId}`);
}

/** Stores how a discovery ended. False: it says so already (an answer got lost). */
export async function endDiscovery(
  tx: Transaction,
  { integrationId }: Scope,
  end: { outcome: 'done' | 'failed'; error: Finding | null },
): Promise<boolean> {
  const rows = await tx.execute<{ before: string }>(sql`
    with old as (select id, discovery_state from integrations where id = ${integrationId} for update)
    update integrations i set discovery_state = ${end.outcome},
      discovery_error = ${jsonText(end.error)}::jsonb,
      last_discovery_at = case when ${end.outcome} = 'done' then clock_timestamp() else i.last_discovery_at end
    from old where i.id = old.id
    returning old.discovery_state as before`);
  return rows.some(({ before }) => before !== end.outcome);
}

/** What the integration sees, and how much of it the discovery that ends now has found. */
export async function countFound(
  tx: Transaction,
  { integrationId }: Scope,
): Promise<{ repositories: number; new: number }> {
  const [row] = await tx.execute<{ repositories: number; new: number }>(sql`
    select count(*) filter (where l.presence = 'present')::int as repositories,
      count(*) filter (where l.found_at >= n.discovery_started_at)::int as new
    from integrations n
    left join integration_repositories l on l.organization_id = n.organization_id and l.integration_id = n.id
    where n.id = ${integrationId} group by n.id`);
  return row ?? { repositories: 0, new: 0 };
}
