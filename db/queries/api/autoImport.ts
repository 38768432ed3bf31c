import { sql } from 'drizzle-orm';
import { type AutoImportRule, sameRules, type WantedRule, withSince } from '../../../autoImport/rules.ts';
import type { Transaction } from '../../client.ts';
import { rulesOf } from '../autoImport.ts';
import { uuids } from '../uuids.ts';
import { isoInstant } from '../isoInstant.ts';
import { jsonText } from '../jsonText.ts';

/** Auto-import rules and excluded owners, as people read and change them. */

export interface SavedRules {
  /** 0: none were ever saved */
  version: number;
  rules: AutoImportRule[];
  updatedAt: string | null;
  updatedByKey: string | null;
  updatedByUser: string | null;
}

const NOTHING_SAVED: SavedRules = {
  version: 0,
  rules: [],
  updatedAt: null,
  updatedByKey: null,
  updatedByUser: null,
};

/** `lock`: they stay these until the transaction ends. */
export async function readSavedRules(
  tx: Transaction,
  integrationId: string,
  { lock }: { lock: boolean } = { lock: false },
): Promise<SavedRules> {
  const [row] = await tx.execute<Omit<SavedRules, 'rules'> & { rules: unknown }>(sql`
    select version, rules, updated_at as "updatedAt", updated_by_key as "updatedByKey",
      updated_by_user as "updatedByUser"
    from auto_import where integration_id = ${integrationId} ${lock ? sql`for update` : sql``}`);
  return row === undefined ? NOTHING_SAVED : { ...row, rules: rulesOf(row.rules) };
}

/** Postgres' clock, ISO: rules take what is new by it. */
export async function readClock(tx: Transaction): Promise<string> {
  const [row] = await tx.execute<{ now: string }>(sql`select ${isoInstant(sql`clock_timestamp()`)} as now`);
  if (row === undefined) throw new Error('Postgres gave no time.');
  return row.now;
}

export type Saved =
  | { outcome: 'saved' | 'same'; version: number }
  /** the version that is there instead */
  | { outcome: 'changed_meanwhile'; version: number };

/**
 * Saves rules in place of version `expected`. `same`: they are what is saved, and where `expected` is the version before,
 * an answer got lost.
 */
export async function saveRules(
  tx: Transaction,
  input: {
    organizationId: string;
    integrationId: string;
    expected: number;
    wanted: readonly WantedRule[];
    apiKeyId: string;
    actingUser: string | null;
  },
): Promise<Saved> {
  const { organizationId, integrationId, expected, wanted, apiKeyId, actingUser } = input;
  const saved = await readSavedRules(tx, integrationId, { lock: true });
  const isTheirs = saved.version === expected || saved.version === expected + 1;
  if (saved.version > 0 && isTheirs && sameRules(saved.rules, wanted)) {
    return { outcome: 'same', version: saved.version };
  }
  if (saved.version !== expected) return { outcome: 'changed_meanwhile', version: saved.version };
  const version = expected + 1;
  const rules = jsonText(withSince(wanted, saved.rules, await readClock(tx)));
  // Where nothing was saved there was no row to lock: of two at once the second finds one now.
  const rows = await tx.execute(sql`
    insert into auto_import as a (organization_id, integration_id, version, rules, updated_by_key, updated_by_user)
    values (${organizationId}, ${integrationId}, ${version}, ${rules}::jsonb, ${apiKeyId}, ${actingUser})
    on conflict (organization_id, integration_id) do update set version = excluded.version, rules = excluded.rules,
      updated_by_key = excluded.updated_by_key, updated_by_user = excluded.updated_by_user,
      updated_at = clock_timestamp()
    where a.version = ${expected}
    returning 1`);
  return rows.length > 0
    ? { outcome: 'saved', version }
    : { outcome: 'changed_meanwhile', version: (await readSavedRules(tx, integrationId)).version };
}

/** What a rule may be about. `excluded`: it is, or is in, one of the excluded owners. */
export interface RuleTarget {
  id: string;
  excluded: boolean;
}

/** Those of the workspaces that the integration sees, and those of the projects that are in one. */
export async function selectRuleTargets(
  tx: Transaction,
  asked: { integrationId: string; workspaceIds: readonly string[]; projectIds: readonly string[] },
): Promise<RuleTarget[]> {
  const { integrationId, workspaceIds, projectIds } = asked;
  return tx.execute<RuleTarget & Record<string, unknown>>(sql`
    select workspace_id as id, excluded from integration_workspaces
    where integration_id = ${integrationId} and workspace_id = any (${uuids(workspaceIds)})
    union all
    select p.id, seen.excluded
    from projects p
    join integration_workspaces seen
      on seen.organization_id = p.organization_id and seen.workspace_id = p.workspace_id
    where seen.integration_id = ${integrationId} and p.id = any (${uuids(projectIds)})`);
}

/** Which of the ids are no workspaces that the integration sees, in the order given. */
export async function selectUnknownWorkspaces(
  tx: Transaction,
  { integrationId, ids }: { integrationId: string; ids: readonly string[] },
): Promise<string[]> {
  const rows = await tx.execute<{ id: string }>(sql`
    select asked.id from unnest(${uuids(ids)}) with ordinality as asked (id, place)
    where not exists (select from integration_workspaces seen
      where seen.integration_id = ${integrationId} and seen.workspace_id = asked.id)
    order by asked.place`);
  return rows.map(({ id }) => id);
}

/** Leaves out these workspaces and no others. Answers which that changed, by id. */
export async function excludeOwners(
  tx: Transaction,
  { integrationId, ids }: { integrationId: string; ids: readonly string[] },
): Promise<{ on: string[]; off: string[] }> {
  // In the order in which a discovery writes them.
  await tx.execute(sql`
    select from integration_workspaces where integration_id = ${integrationId}
    order by workspace_id for no key update`);
  const rows = await tx.execute<{ id: string; excluded: boolean }>(sql`
    update integration_workspaces seen set excluded = not excluded
    where seen.integration_id = ${integrationId}
      and seen.excluded <> (seen.workspace_id = any (${uuids(ids)}))
    returning seen.workspace_id as id, seen.excluded`);
  const sorted = rows.toSorted((one, other) => (one.id < other.id ? -1 : 1));
  const of = (excluded: boolean) => sorted.filter((row) => row.excluded === excluded).map(({ id }) => id);
  return { on: of(true), off: of(false) };
}
