import { sql, type SQL } from 'drizzle-orm';
import type { Transaction } from '../client.ts';
import { ownerExcluded } from './autoImport.ts';
import { yieldsTo } from './ownership.ts';
import { uuids } from './uuids.ts';

/** What an import takes up. Every function runs inside a transaction of the tenant. */

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

/** The repositories `r` that the import chooses. */
const chosenOf = (importId: string) => sql`
  from imports i
  join integration_repositories seen
    on seen.organization_id = i.organization_id and seen.integration_id = i.integration_id
  join repositories r on r.organization_id = seen.organization_id and r.id = seen.repository_id
  where i.id = ${importId} and ${chosenBy(sql`i.selection`, sql`i.integration_id`)}`;

/**
 * One row a repository that was chosen and that the integration sees, in the order of full names. The integration
 * becomes the one whose credential fetches them, unless another one is already that does not yield. One that was removed,
 * and so is named, is no longer; one that a person removes at this moment is left out.
 */
export async function chooseRepositories(
  tx: Transaction,
  { importId, integrationId }: { importId: string; integrationId: string },
): Promise<void> {
  const mayTake = sql`(r.removed_at is not null or ${yieldsTo(sql`${integrationId}`)})`;
  const chosen = await tx.execute<{ id: string }>(sql`
    with chosen as (
      select r.organization_id, r.id, row_number() over (order by r.full_name, r.id) as place ${chosenOf(importId)}
    ), inserted as (
      insert into import_repositories (organization_id, import_id, repository_id, place)
      select organization_id, ${importId}::uuid, id, place from chosen
      on conflict (organization_id, import_id, repository_id) do nothing
      returning repository_id
    )
    select r.id from inserted join repositories r on r.id = inserted.repository_id where ${mayTake}`);
  if (chosen.length === 0) return;
  // Locked first (in the order in which a discovery writes them), and looked at behind it: who takes or removes one
  // meanwhile waits, or has ended and is seen.
  const locked = await tx.execute<{ id: string; removed: boolean }>(sql`
    select id, removed_at is not null as removed from repositories
    where id = any (${uuids(chosen.map(({ id }) => id))}) order by provider_uuid for no key update`);
  const out = await leaveOutRemoved(
    tx,
    importId,
    locked.filter(({ removed }) => removed).map(({ id }) => id),
  );
  const ids = locked.map(({ id }) => id).filter((id) => !out.has(id));
  await tx.execute(sql`
    update repositories r set integration_id = ${integrationId}, removed_at = null
    where r.id = any (${uuids(ids)}) and ${mayTake}`);
}

/**
 * Of locked repositories that are marked as removed the import keeps those that it chooses still: a person named them. The
 * rows are its own, so nobody is waited for. Answers which it leaves out.
 */
async function leaveOutRemoved(
  tx: Transaction,
  importId: string,
  removed: readonly string[],
): Promise<ReadonlySet<string>> {
  if (removed.length === 0) return new Set();
  const rows = await tx.execute<{ id: string }>(sql`
    delete from import_repositories
    where import_id = ${importId} and repository_id = any (${uuids(removed)})
      and repository_id not in (select r.id ${chosenOf(importId)} and r.removed_at is not null)
    returning repository_id as id`);
  return new Set(rows.map(({ id }) => id));
}

/**
 * Statistics of the table that `chooseRepositories` has filled; to be made behind its transaction, which would hold others
 * up. Without them each stream in hand is held against all repositories of the import, with each look at its progress.
 */
export async function analyzeChosen(tx: Transaction): Promise<void> {
  await tx.execute(sql`analyze (skip_locked) import_repositories`);
}

/** Stores and answers how many repositories the import has, and the name of the first. */
export async function countChosen(
  tx: Transaction,
  importId: string,
): Promise<{ total: number; first: string | null; all: boolean }> {
  const [row] = await tx.execute<{ total: number; first: string | null; all: boolean }>(sql`
    update imports i set repositories_total = (
      select count(*) from import_repositories ir where ir.import_id = i.id)
    where i.id = ${importId}
    returning repositories_total as total, coalesce(selection -> 'all' = 'true'::jsonb, false) as all, (
      select r.full_name from import_repositories ir join repositories r on r.id = ir.repository_id
      where ir.import_id = i.id order by ir.place limit 1) as first`);
  return row ?? { total: 0, first: null, all: false };
}
