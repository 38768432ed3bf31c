import { type SQL, sql } from 'drizzle-orm';
import type { Transaction } from '../client.ts';
import { due, type HookRow, selectHooks } from './webhookTargets.ts';

/** Hooks that are no longer wanted: their rows stay until they are removed at Bitbucket, or out of reach there. */

/** Hooks are to be removed. A row for which Bitbucket was never asked to make one just goes. */
async function retire(tx: Transaction, which: SQL): Promise<void> {
  await tx.execute(sql`
    delete from webhooks w where ${which} and w.provider_uuid is null and not w.maybe_made
      and w.state in ('pending', 'not_allowed')`);
  await tx.execute(sql`
    update webhooks w set state = 'removing', last_checked_at = null, updated_at = clock_timestamp()
    where ${which} and w.state <> 'removing'`);
}

/**
 * Brings the rows in line with what the integration has: those of repositories that are no longer its own, and of
 * workspaces that it does not see, are to be removed; those of a repository that moved follow it.
 */
export async function retireHooks(tx: Transaction, integrationId: string): Promise<void> {
  await tx.execute(sql`
    update webhooks w set workspace_id = r.workspace_id, updated_at = clock_timestamp()
    from repositories r
    where w.integration_id = ${integrationId} and r.organization_id = w.organization_id and r.id = w.repository_id
      and r.workspace_id <> w.workspace_id`);
  await retire(
    tx,
    sql`w.integration_id = ${integrationId}
      and case when w.repository_id is null
        then not exists (select from integration_workspaces seen where seen.organization_id = w.organization_id
          and seen.integration_id = w.integration_id and seen.workspace_id = w.workspace_id)
        else not exists (select from repositories r where r.organization_id = w.organization_id
          and r.id = w.repository_id and r.integration_id = w.integration_id) end`,
  );
}

/** All hooks of an integration, or that of one of its repositories, are to be removed. */
export function removeAll(
  tx: Transaction,
  { integrationId, repositoryId }: { integrationId: string; repositoryId: string | null },
): Promise<void> {
  return retire(
    tx,
    sql`w.integration_id = ${integrationId} and ${repositoryId === null ? sql`true` : sql`w.repository_id = ${repositoryId}`}`,
  );
}

/** The workspace's own hook covers its repositories: theirs would tell everything twice. */
export function retireRepositoryHooks(
  tx: Transaction,
  { integrationId, workspaceId }: { integrationId: string; workspaceId: string },
): Promise<void> {
  return retire(
    tx,
    sql`w.integration_id = ${integrationId} and w.workspace_id = ${workspaceId} and w.repository_id is not null`,
  );
}

export interface Removals {
  integrationId: string;
  /** null: of all repositories and workspaces */
  repositoryId: string | null;
}

const toRemove = ({ integrationId, repositoryId }: Removals): SQL =>
  sql`w.integration_id = ${integrationId} and w.state = 'removing'
    and ${repositoryId === null ? sql`true` : sql`w.repository_id = ${repositoryId}`}`;

/** The next hook that is to be removed and was not tried since then. */
export async function nextRemoval(
  tx: Transaction,
  { since, ...removals }: Removals & { since: string },
): Promise<HookRow | undefined> {
  const [row] = await selectHooks(
    tx,
    sql`${toRemove(removals)} and ${due(since)} order by w.last_checked_at nulls first, w.id limit 1`,
  );
  return row;
}

export async function countRemovals(tx: Transaction, removals: Removals): Promise<number> {
  const [row] = await tx.execute<{ hooks: number }>(sql`
    select count(*)::int as hooks from webhooks w where ${toRemove(removals)}`);
  return row?.hooks ?? 0;
}

/** Whether it still is to be removed: one that is wanted again keeps its deliveries. */
export async function isToRemove(tx: Transaction, id: string): Promise<boolean> {
  return (await tx.execute(sql`select from webhooks where id = ${id} and state = 'removing'`)).length > 0;
}

/** Removed at Bitbucket, or out of reach there: deliveries to its address are unknown from now on. False: it went already. */
export async function deleteHook(tx: Transaction, id: string): Promise<boolean> {
  const deleted = await tx.execute(
    sql`delete from webhooks where id = ${id} and state = 'removing' returning id`,
  );
  return deleted.length > 0;
}
