import { sql } from 'drizzle-orm';
import type { Transaction } from '../../client.ts';

/** What is left of an integration beside its repositories' records. Every function runs inside a transaction of the tenant. */

interface OfIntegration {
  organizationId: string;
  integrationId: string;
}

const idsOf = (rows: Iterable<{ id: string }>): string[] => [...rows].map(({ id }) => id);

/** Imports of the integration that are still there. */
export async function nextImports(
  tx: Transaction,
  { organizationId, integrationId }: OfIntegration,
  limit: number,
): Promise<string[]> {
  return idsOf(
    await tx.execute<{ id: string }>(sql`
      select id from imports where organization_id = ${organizationId} and integration_id = ${integrationId}
      order by created_at, id limit ${limit}`),
  );
}

/** Estimates of the integration that are still there. */
export async function nextEstimates(
  tx: Transaction,
  { organizationId, integrationId }: OfIntegration,
  limit: number,
): Promise<string[]> {
  return idsOf(
    await tx.execute<{ id: string }>(sql`
      select id from import_estimates where organization_id = ${organizationId} and integration_id = ${integrationId}
      order by id limit ${limit}`),
  );
}

/** Webhooks of the integration, or of one of its repositories, that are still there. */
export async function nextWebhooks(
  tx: Transaction,
  { organizationId, integrationId, repositoryId }: OfIntegration & { repositoryId?: string },
  limit: number,
): Promise<string[]> {
  return idsOf(
    await tx.execute<{ id: string }>(sql`
      select id from webhooks where organization_id = ${organizationId} and integration_id = ${integrationId}
        and ${repositoryId === undefined ? sql`true` : sql`repository_id = ${repositoryId}`}
      order by id limit ${limit}`),
  );
}

export async function deleteWebhook(tx: Transaction, webhookId: string): Promise<number> {
  return (await tx.execute(sql`delete from webhooks where id = ${webhookId} returning 1`)).length;
}

export async function deleteImport(tx: Transaction, importId: string): Promise<number> {
  return (await tx.execute(sql`delete from imports where id = ${importId} returning 1`)).length;
}

export async function deleteEstimate(tx: Transaction, estimateId: string): Promise<number> {
  return (await tx.execute(sql`delete from import_estimates where id = ${estimateId} returning 1`)).length;
}

/** Removes the secrets of an integration: what is sealed goes at once, its rows with the others. */
export async function shredSecrets(tx: Transaction, integrationId: string): Promise<void> {
  await tx.execute(sql`
    update credentials set state = 'shredded', sealed = null, discard_after = null
    where integration_id = ${integrationId} and (sealed is not null or state <> 'shredded')`);
  await tx.execute(sql`delete from oauth_flows where integration_id = ${integrationId}`);
}

/**
 * Removes repositories that no integration sees and none fetches. Locked first and looked at again behind it: the
 * discovery of another integration that links one meanwhile waits, or is seen. Answers how many of at most `limit`.
 */
export async function deleteUnseenRepositories(
  tx: Transaction,
  organizationId: string,
  limit: number,
): Promise<number> {
  const unseen = sql`r.integration_id is null and not exists (
    select from integration_repositories seen
    where seen.organization_id = r.organization_id and seen.repository_id = r.id)`;
  const ids = await tx.execute<{ id: string }>(sql`
    select r.id from repositories r where r.organization_id = ${organizationId} and ${unseen}
    order by r.id limit ${limit} for update`);
  return (
    await tx.execute(sql`
      delete from repositories r where r.id = any (${`{${idsOf(ids).join(',')}}`}::uuid[]) and ${unseen} returning 1`)
  ).length;
}

/** Removes workspaces, with their projects, that no integration sees and that have no repository. */
export async function deleteUnseenWorkspaces(tx: Transaction, organizationId: string): Promise<number> {
  const unseen = sql`not exists (select from integration_workspaces seen
      where seen.organization_id = w.organization_id and seen.workspace_id = w.id)
    and not exists (select from repositories r
      where r.organization_id = w.organization_id and r.workspace_id = w.id)`;
  const ids = await tx.execute<{ id: string }>(sql`
    select w.id from workspaces w where w.organization_id = ${organizationId} and ${unseen}
    order by w.id limit 100 for update`);
  return (
    await tx.execute(sql`
      delete from workspaces w where w.id = any (${`{${idsOf(ids).join(',')}}`}::uuid[]) and ${unseen} returning 1`)
  ).length;
}

/**
 * Removes accounts of an organization of which nothing is imported any more, `limit` at most. While there is something
 * they stay: which of them a record names no index tells, and a page that finds an account unchanged holds no lock on it.
 */
export async function deleteAccounts(
  tx: Transaction,
  organizationId: string,
  limit: number,
): Promise<number> {
  return (
    await tx.execute(sql`
      delete from accounts where ctid = any (array(
        select a.ctid from accounts a
        where a.organization_id = ${organizationId}
          and not exists (select from streams s where s.organization_id = ${organizationId})
        order by a.provider_uuid limit ${limit}))
      returning 1`)
  ).length;
}

/** Removes the integration's row: its name is free again. False: it is gone already. */
export async function deleteIntegration(tx: Transaction, integrationId: string): Promise<boolean> {
  const rows = await tx.execute(sql`
    delete from integrations where id = ${integrationId} and state = 'disconnecting' returning 1`);
  return rows.length > 0;
}
