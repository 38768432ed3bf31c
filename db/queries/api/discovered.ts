import { sql, type SQL } from 'drizzle-orm';
import type {
  Finding,
  ImportRepositoryState,
  Presence,
  Service,
  Stream,
  StreamState,
} from '../../../workflows/words.ts';
import type { Transaction } from '../../client.ts';
import { escapeText } from '../../text.ts';
import { ownerExcluded } from '../autoImport.ts';
import { healthOf } from '../repositoryHealth.ts';
import type { RemovalRow } from './removals.ts';
import { fixed } from './fixed.ts';
import { asJson, jsonList, literal, object, text, word } from './nestedJson.ts';
import { limitTo } from './limitTo.ts';

/** What an integration sees: workspaces, projects, repositories, each a page in the order of a key that stays. */

interface PageOf<After> {
  integrationId: string;
  limit: number;
  after: After | null;
  search?: string | undefined;
}

/** Part of a text; `%` and `_` stand for themselves. */
const patternOf = (search: string): string =>
  `%${escapeText(search).replaceAll(/[\\%_]/g, String.raw`\$&`)}%`;

/** Whatever the case. */
const contains = (column: SQL, search: string | undefined): SQL =>
  search === undefined ? sql`true` : sql`${column} ilike ${patternOf(search)}`;

const behind = (columns: SQL, after: { key: string; id: string } | null): SQL =>
  after === null ? sql`true` : sql`${columns} > (${after.key}, ${after.id}::uuid)`;

/** Per workspace or project how many repositories the integration sees there; both sides are read from indexes alone. */
const countSeen = (integrationId: string, of: SQL): SQL => sql`
  select ${of} as id, count(*)::int as repositories
  from integration_repositories s
  join repositories r on r.organization_id = s.organization_id and r.id = s.repository_id
  where s.integration_id = ${integrationId} and s.presence = 'present' and ${of} in (select id from page) group by 1`;

export interface WorkspaceRow extends Record<string, unknown> {
  id: string;
  slug: string;
  name: string;
  providerUuid: string;
  administrator: boolean | null;
  excluded: boolean;
  repositories: number;
  lastSeenAt: string;
}

export async function listWorkspaces(
  tx: Transaction,
  { integrationId, limit, after, search }: PageOf<{ key: string; id: string }>,
): Promise<WorkspaceRow[]> {
  return tx.execute<WorkspaceRow>(sql`
    with page as materialized (
      select w.id, w.slug, w.name, w.provider_uuid, seen.administrator, seen.excluded, seen.last_seen_at
      from integration_workspaces seen
      join workspaces w on w.organization_id = seen.organization_id and w.id = seen.workspace_id
      where seen.integration_id = ${integrationId}
        and ${contains(sql`w.slug || ' ' || w.name`, search)} and ${behind(sql`(w.slug, w.id)`, after)}
      order by w.slug, w.id ${limitTo(limit)}
    ), counted as (${countSeen(integrationId, sql`r.workspace_id`)})
    select page.id, page.slug, page.name, page.provider_uuid as "providerUuid", page.administrator, page.excluded,
      page.last_seen_at as "lastSeenAt", coalesce(counted.repositories, 0) as repositories
    from page left join counted on counted.id = page.id
    order by page.slug, page.id`);
}

export interface ProjectRow extends Record<string, unknown> {
  id: string;
  workspaceId: string;
  key: string;
  name: string;
  description: string | null;
  providerUuid: string;
  isPrivate: boolean | null;
  repositories: number;
}

/** Projects of the workspaces it sees; those of excluded owners where their workspace is asked for. */
export async function listProjects(
  tx: Transaction,
  {
    integrationId,
    limit,
    after,
    search,
    workspaceId,
  }: PageOf<{ key: string; id: string }> & { workspaceId: string | undefined },
): Promise<ProjectRow[]> {
  return tx.execute<ProjectRow>(sql`
    with page as materialized (
      select p.* from integration_workspaces seen
      join projects p on p.organization_id = seen.organization_id and p.workspace_id = seen.workspace_id
      where seen.integration_id = ${integrationId}
        and ${workspaceId === undefined ? sql`not seen.excluded` : sql`p.workspace_id = ${workspaceId}`}
        and ${contains(sql`p.key || ' ' || p.name`, search)} and ${behind(sql`(p.key, p.id)`, after)}
      order by p.key, p.id ${limitTo(limit)}
    ), counted as (${countSeen(integrationId, sql`r.project_id`)})
    select page.id, page.workspace_id as "workspaceId", page.key, page.name, page.description,
      page.provider_uuid as "providerUuid", page.is_private as "isPrivate",
      coalesce(counted.repositories, 0) as repositories
    from page left join counted on counted.id = page.id
    order by page.key, page.id`);
}

export interface RepositoryRow extends Record<string, unknown> {
  id: string;
  workspaceId: string;
  projectId: string | null;
  providerUuid: string;
  fullName: string;
  slug: string;
  name: string;
  description: string | null;
  isPrivate: boolean;
  language: string | null;
  mainBranch: string | null;
  sizeBytes: number | null;
  createdOn: string | null;
  updatedOn: string | null;
  integrationId: string | null;
  firstImportedAt: string | null;
  lastImportedAt: string | null;
  health: StreamState;
  removedAt: string | null;
  /** as the integration sees it that the list is of, or else the one that fetches it */
  presence: Presence;
  presenceSince: string | null;
  missingSince: string | null;
  foundAt: string | null;
  formerNames: { full_name: string; replaced_at: string }[];
  removal: RemovalRow | null;
  streams: StreamSummary[];
  /** null: it was never brought up to date since its import */
  sync: SyncSummary | null;
}

export interface SyncSummary {
  /** of the last one, or of the one that runs */
  state: ImportRepositoryState | null;
  services: Service[] | null;
  last_attempt_at: string | null;
  last_success_at: string | null;
  failures: number;
  failing_since: string | null;
  last_error: Finding | null;
  next_attempt_at: string | null;
  waiting_until: string | null;
  waiting_reason: string | null;
}

export interface StreamSummary {
  stream: Stream;
  state: StreamState;
  failing_since: string | null;
  last_error: Finding | null;
  last_success_at: string | null;
  last_attempt_at: string | null;
}

/** An aggregate of streams `s`: a list of `StreamSummary`. */
export const STREAM_SUMMARIES = fixed(
  jsonList(
    object({
      stream: word(sql`s.stream`),
      state: word(sql`s.state`),
      failing_since: word(sql`s.failing_since`),
      last_error: literal(sql`s.last_error`),
      last_success_at: word(sql`s.last_success_at`),
      last_attempt_at: word(sql`s.last_attempt_at`),
    }),
    sql`s.stream`,
  ),
);

const REPOSITORY = fixed(sql`
  r.id, r.workspace_id as "workspaceId", r.project_id as "projectId", r.provider_uuid as "providerUuid",
  r.full_name as "fullName", r.slug, r.name, r.description, r.is_private as "isPrivate", r.language,
  r.main_branch as "mainBranch", r.size_bytes::float8 as "sizeBytes", r.created_on as "createdOn",
  r.updated_on as "updatedOn", r.integration_id as "integrationId", r.first_imported_at as "firstImportedAt",
  r.last_imported_at as "lastImportedAt", r.removed_at as "removedAt", ${healthOf} as health,
  coalesce(seen.presence, 'no_access') as presence, seen.presence_since as "presenceSince",
  seen.missing_since as "missingSince", seen.found_at as "foundAt",
  (select ${jsonList(
    object({ full_name: text(sql`o.full_name`), replaced_at: word(sql`o.replaced_at`) }),
    sql`o.replaced_at desc, o.full_name`,
  )}
    from repository_names o where o.organization_id = r.organization_id and o.repository_id = r.id)
    as "formerNames",
  (select jsonb_build_object('step', d.step, 'rowsTotal', d.rows_total, 'rowsRemoved', d.rows_removed,
      'requestedByKey', d.requested_by_key, 'requestedByUser', d.requested_by_user, 'requestedAt', d.requested_at,
      'updatedAt', d.updated_at)
    from removals d where d.organization_id = r.organization_id and d.subject_id = r.id) as removal,
  (select ${STREAM_SUMMARIES}
    from streams s where s.organization_id = r.organization_id and s.repository_id = r.id) as streams,
  (select ${asJson(
    object({
      state: word(sql`one.state`),
      services: literal(sql`to_json(i.services)`),
      last_attempt_at: word(sql`y.last_attempt_at`),
      last_success_at: word(sql`y.last_success_at`),
      failures: literal(sql`y.failures`),
      failing_since: word(sql`y.failing_since`),
      last_error: literal(sql`y.last_error`),
      next_attempt_at: word(sql`y.next_attempt_at`),
      waiting_until: word(sql`one.waiting_until`),
      waiting_reason: text(sql`one.waiting_reason`),
    }),
  )}
    from repository_syncs y
    left join imports i on i.organization_id = y.organization_id and i.id = y.last_sync_id
    left join import_repositories one on one.organization_id = y.organization_id and one.import_id = y.last_sync_id
      and one.repository_id = y.repository_id
    where y.organization_id = r.organization_id and y.repository_id = r.id and y.last_sync_id is not null) as sync`);

/** `missing`: the last list lacked it, which proves nothing yet. */
export const SHOWN_PRESENCES = ['present', 'missing', 'gone', 'no_access'] as const;
export type ShownPresence = (typeof SHOWN_PRESENCES)[number];

const isShownAs = (presence: ShownPresence): SQL => {
  if (presence === 'missing') return sql`seen.presence = 'present' and seen.missing_since is not null`;
  return presence === 'present'
    ? sql`seen.presence = 'present' and seen.missing_since is null`
    : sql`seen.presence = ${presence}`;
};

/**
 * Repositories as they are seen, `r`; with a search those whose full name or name has the text in it, or had it before. They
 * are found in an index alone, in its order (`repositories_page`).
 */
function seenRepositories(search: string | undefined, after: { key: string; id: string } | null): SQL {
  if (search === undefined)
    return sql`repositories r
      join integration_repositories seen on seen.organization_id = r.organization_id and seen.repository_id = r.id
        and ${behind(sql`(r.full_name, r.id)`, after)}`;
  // `offset 0`: Postgres would find that both are the same table, and read it instead of the index.
  return sql`(
      select k.organization_id, k.id, k.full_name from repositories k
      where ${behind(sql`(k.full_name, k.id)`, after)}
        and (k.search_text like (select lower(${patternOf(search)})) collate "C"
          or exists (select from repository_names o where o.organization_id = k.organization_id
            and o.repository_id = k.id and ${contains(sql`o.full_name`, search)}))
      order by k.full_name, k.id offset 0
    ) k
    join integration_repositories seen on seen.organization_id = k.organization_id and seen.repository_id = k.id
    join repositories r on r.organization_id = k.organization_id and r.id = k.id`;
}

export async function listRepositories(
  tx: Transaction,
  filter: PageOf<{ key: string; id: string }> & {
    workspaceId: string | undefined;
    projectId: string | undefined;
    imported: boolean | undefined;
    presence: ShownPresence | undefined;
  },
): Promise<RepositoryRow[]> {
  const { integrationId, limit, after, search, workspaceId, projectId, imported, presence } = filter;
  const isNamed = workspaceId !== undefined || projectId !== undefined;
  return tx.execute<RepositoryRow>(sql`
    select ${REPOSITORY}
    from ${seenRepositories(search, after)}
    where seen.integration_id = ${integrationId}
      and ${workspaceId === undefined ? sql`true` : sql`r.workspace_id = ${workspaceId}`}
      and ${projectId === undefined ? sql`true` : sql`r.project_id = ${projectId}`}
      and ${isNamed ? sql`true` : sql`(r.first_imported_at is not null or not ${ownerExcluded(sql`seen.integration_id`)})`}
      and ${imported === undefined ? sql`true` : sql`(r.first_imported_at is not null) = ${imported}`}
      and ${presence === undefined ? sql`true` : isShownAs(presence)}
    order by ${search === undefined ? sql`r.full_name, r.id` : sql`k.full_name, k.id`} ${limitTo(limit)}`);
}

export async function readRepository(tx: Transaction, id: string): Promise<RepositoryRow | null> {
  const [row] = await tx.execute<RepositoryRow>(
    sql`select ${REPOSITORY} from repositories r
      left join lateral (
        select l.* from integration_repositories l
        where l.organization_id = r.organization_id and l.repository_id = r.id
        order by (l.integration_id = r.integration_id) desc nulls last, (l.presence = 'present') desc,
          l.last_seen_at desc
        limit 1
      ) seen on true
      where r.id = ${id}`,
  );
  return row ?? null;
}

export async function isRepository(tx: Transaction, id: string): Promise<boolean> {
  const rows = await tx.execute(sql`select from repositories where id = ${id}`);
  return rows.length > 0;
}
