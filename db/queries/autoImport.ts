import { sql, type SQL } from 'drizzle-orm';
import type { RepositorySight } from '../../autoImport/decide.ts';
import type { AutoImportRule } from '../../autoImport/rules.ts';
import type { IntegrationState } from '../../workflows/words.ts';
import type { Transaction } from '../client.ts';
import { unescapeJson, unescapeText } from '../text.ts';
import { isoInstant } from './isoInstant.ts';
import { yieldsTo } from './ownership.ts';
import { uuids } from './uuids.ts';

/** Auto-import rules, and the repositories that they judge. Every function runs inside a transaction of the tenant. */

interface OfIntegration {
  organizationId: string;
  integrationId: string;
}

/** As an import shows who started it. */
export const STARTED_BY = 'auto-import';

/**
 * The owner of the repository `r` is one that the integration leaves out. `integration`: its id, as SQL.
 */
export const ownerExcluded = (integration: SQL): SQL => sql`exists (
  select from integration_workspaces x
  where x.organization_id = r.organization_id and x.integration_id = ${integration}
    and x.workspace_id = r.workspace_id and x.excluded)`;

const TAKEN_UP = sql`exists (
  select from import_repositories t where t.organization_id = r.organization_id and t.repository_id = r.id)`;

/** The rules as jsonb, as they were asked for. */
export const rulesOf = (stored: unknown): AutoImportRule[] =>
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- only `saveRules` writes the column, from checked rules
  unescapeJson(stored) as AutoImportRule[];

export interface RulesInForce {
  state: IntegrationState;
  /** null: none were ever saved */
  version: number | null;
  rules: AutoImportRule[];
}

/**
 * The rules, and whether the integration may import at all. `undefined`: it is gone. `lock`: nobody else starts an
 * auto-import of it, nor changes its state, until the transaction ends.
 */
export async function readRulesInForce(
  tx: Transaction,
  { integrationId }: OfIntegration,
  { lock }: { lock: boolean },
): Promise<RulesInForce | undefined> {
  const [row] = await tx.execute<{ state: IntegrationState; version: number | null; rules: unknown }>(sql`
    select n.state, a.version, a.rules
    from integrations n
    left join auto_import a on a.organization_id = n.organization_id and a.integration_id = n.id
    where n.id = ${integrationId} ${lock ? sql`for no key update of n` : sql``}`);
  return row === undefined ? undefined : { ...row, rules: row.rules === null ? [] : rulesOf(row.rules) };
}

export interface Sight extends RepositorySight {
  id: string;
  /** full name as it is stored, for the next page */
  key: string;
  /** it comes behind the place that was asked about */
  isBehind: boolean;
}

/** A place between two pages, by full name (as stored) and id. */
export interface SightPlace {
  key: string;
  id: string;
}

const behind = (place: SightPlace | null): SQL =>
  place === null ? sql`true` : sql`(r.full_name, r.id) > (${place.key}, ${place.id}::uuid)`;

/**
 * A page of what the integration sees or saw, by full name. `open`: only those that rules may take, so that thousands of
 * imported ones cost nothing. `mark`: a place to compare each with, in the order of Postgres; null: all are behind it.
 */
export async function selectSights(
  tx: Transaction,
  { integrationId }: OfIntegration,
  page: { after: SightPlace | null; limit: number; open: boolean; mark?: SightPlace | null },
): Promise<Sight[]> {
  const { after, limit, open, mark = null } = page;
  const rows = await tx.execute<Sight & Record<string, unknown>>(sql`
    select r.id, r.full_name as key, r.workspace_id as "workspaceId", r.project_id as "projectId", r.slug, r.name,
      r.parent_uuid is not null or coalesce(jsonb_typeof(r.raw -> 'parent') = 'object', false) as "isFork",
      ${isoInstant(sql`r.updated_on`)} as "updatedOn", ${isoInstant(sql`seen.found_at`)} as "firstSeenAt",
      seen.presence = 'present' and seen.missing_since is null and w.missing_since is null as "isVisible",
      coalesce(w.excluded, false) as "isOwnerExcluded", r.removed_at is not null as "isRemoved",
      r.first_imported_at is not null as "isImported", ${TAKEN_UP} as "isTakenUp",
      ${behind(mark)} as "isBehind"
    from integration_repositories seen
    join repositories r on r.organization_id = seen.organization_id and r.id = seen.repository_id
    left join integration_workspaces w on w.organization_id = seen.organization_id
      and w.integration_id = seen.integration_id and w.workspace_id = r.workspace_id
    where seen.integration_id = ${integrationId}
      and ${behind(after)}
      and ${open ? sql`r.removed_at is null and r.first_imported_at is null and not ${TAKEN_UP}` : sql`true`}
    order by r.full_name, r.id limit ${limit}`);
  return rows.map((row) => ({ ...row, slug: unescapeText(row.slug), name: unescapeText(row.name) }));
}

/**
 * Stores an import of those of the repositories that still may be taken, with its rows, so that nothing takes them a second
 * time; locks them until the transaction ends. Answers how many it has; 0: none, and nothing is stored.
 */
export async function insertAutoImport(
  tx: Transaction,
  { organizationId, integrationId }: OfIntegration,
  { importId, repositoryIds }: { importId: string; repositoryIds: readonly string[] },
): Promise<number> {
  // Locked first (in the order in which a discovery writes them), and looked at behind it: who removes or imports one
  // meanwhile waits, or has ended and is seen.
  await tx.execute(sql`
    select from repositories where id = any (${uuids(repositoryIds)}) order by provider_uuid for no key update`);
  const chosen = await tx.execute<{ id: string }>(sql`
    select r.id from repositories r
    where r.id = any (${uuids(repositoryIds)}) and r.removed_at is null and r.first_imported_at is null
      and not ${TAKEN_UP}`);
  if (chosen.length === 0) return 0;
  const ids = uuids(chosen.map(({ id }) => id));
  const selection = JSON.stringify({ auto_import: integrationId });
  await tx.execute(sql`
    insert into imports (id, organization_id, integration_id, mode, selection, started_by_user)
    values (${importId}, ${organizationId}, ${integrationId}, 'changed', ${selection}::jsonb, ${STARTED_BY})`);
  await tx.execute(sql`
    insert into import_repositories (organization_id, import_id, repository_id, place)
    select r.organization_id, ${importId}::uuid, r.id, row_number() over (order by r.full_name, r.id)
    from repositories r where r.id = any (${ids})`);
  await tx.execute(sql`
    update repositories r set integration_id = ${integrationId}
    where r.id = any (${ids}) and ${yieldsTo(sql`${integrationId}`)}`);
  return chosen.length;
}

/** The import is stored already: the answer to that was lost. */
export async function hasImport(tx: Transaction, importId: string): Promise<boolean> {
  return (await tx.execute(sql`select from imports where id = ${importId}`)).length > 0;
}

/** Auto-imports that have not begun, oldest first: whose run is not started yet, or was a moment ago. */
export async function selectUnbegun(tx: Transaction, { integrationId }: OfIntegration): Promise<string[]> {
  const rows = await tx.execute<{ id: string }>(sql`
    select id from imports
    where integration_id = ${integrationId} and state = 'pending' and selection ? 'auto_import'
    order by created_at, id`);
  return rows.map(({ id }) => id);
}
