import { sql } from 'drizzle-orm';
import type { Service, Stream } from '../../../workflows/words.ts';
import type { Transaction } from '../../client.ts';
import { joinMissed } from '../syncs.ts';

/** Repositories of an integration that is being removed. Every function runs inside a transaction of the tenant. */

interface OfIntegration {
  organizationId: string;
  integrationId: string;
}

/** Another integration that sees a repository. */
export interface Candidate {
  integrationId: string;
  services: Service[];
  active: boolean;
}

export interface OwnedRepository {
  repositoryId: string;
  /** streams that were read of it, with success or without */
  read: Stream[];
  /**
   * created integrations that see it too, now, and are not being removed, oldest first; of one that was never imported to
   * its end those that import it themselves: no other would go on with it
   */
  candidates: Candidate[];
}

/** A page of the repositories that the integration fetches, by id, with who could take each over. */
export async function selectOwned(
  tx: Transaction,
  { organizationId, integrationId }: OfIntegration,
  { after, limit }: { after: string | null; limit: number },
): Promise<OwnedRepository[]> {
  return tx.execute<OwnedRepository & Record<string, unknown>>(sql`
    select r.id as "repositoryId",
      coalesce((select jsonb_agg(s.stream) from streams s where s.organization_id = r.organization_id
        and s.repository_id = r.id and s.state not in ('never', 'unavailable')), '[]') as read,
      coalesce((select jsonb_agg(jsonb_build_object('integrationId', n.id, 'services', n.services,
          'active', n.state = 'active') order by n.created_at, n.id)
        from integration_repositories seen
        join integrations n on n.organization_id = seen.organization_id and n.id = seen.integration_id
        where seen.organization_id = r.organization_id and seen.repository_id = r.id and n.id <> r.integration_id
          and seen.presence = 'present' and n.state in ('active', 'paused', 'needs_credential')
          and (r.first_imported_at is not null or exists (
            select from import_repositories ir
            join imports i on i.organization_id = ir.organization_id and i.id = ir.import_id
            where ir.organization_id = r.organization_id and ir.repository_id = r.id and i.integration_id = n.id
              and ir.state not in ('completed', 'failed', 'cancelled')))), '[]') as candidates
    from repositories r
    where r.organization_id = ${organizationId} and r.integration_id = ${integrationId}
      and (${after}::uuid is null or r.id > ${after}::uuid)
    order by r.id limit ${limit}`);
}

/** The next repositories that the integration fetches. */
export async function nextOwned(
  tx: Transaction,
  { organizationId, integrationId }: OfIntegration,
  limit: number,
): Promise<string[]> {
  const rows = await tx.execute<{ id: string }>(sql`
    select id from repositories where organization_id = ${organizationId} and integration_id = ${integrationId}
    order by id limit ${limit}`);
  return rows.map(({ id }) => id);
}

/**
 * Keeps a repository with the integration until the transaction ends; false: it is gone, or another integration took it
 * over (an import of that one did), so its rows are not ours to remove any more.
 */
export async function holdOwned(
  tx: Transaction,
  { integrationId }: OfIntegration,
  repositoryId: string,
): Promise<boolean> {
  const rows = await tx.execute(sql`
    select from repositories where id = ${repositoryId} and integration_id = ${integrationId} for share`);
  return rows.length > 0;
}

/** Keeps a repository that is being removed so until the transaction ends; false: there is no removal any more. */
export async function holdRemoved(tx: Transaction, repositoryId: string): Promise<boolean> {
  const rows = await tx.execute(sql`
    select from repositories r
    where r.id = ${repositoryId} and r.removed_at is not null
      and exists (select from removals d where d.subject_id = r.id)
    for share`);
  return rows.length > 0;
}

/**
 * Makes another integration the one that fetches the repository, if that one still may. Its next poll round has all its
 * services read: who fetched it before may have been told of changes and not got to them, or been paused, and what the
 * other one's rounds passed over they do not come back to.
 */
export async function handOver(
  tx: Transaction,
  { integrationId }: OfIntegration,
  { repositoryId, to }: { repositoryId: string; to: string },
): Promise<void> {
  await tx.execute(sql`
    with taken as (
      update repositories r set integration_id = n.id
      from integrations n
      where r.id = ${repositoryId} and r.integration_id = ${integrationId}
        and n.organization_id = r.organization_id and n.id = ${to} and n.state <> 'disconnecting'
      returning r.organization_id, r.id, n.services
    )
    insert into repository_syncs as y (organization_id, repository_id, missed)
    select organization_id, id, services from taken
    ${joinMissed}`);
}

/** Whether another integration than the one that is removed sees the repository. */
export async function isSeenByOthers(
  tx: Transaction,
  { integrationId }: OfIntegration,
  repositoryId: string,
): Promise<boolean> {
  const rows = await tx.execute(sql`
    select from integration_repositories
    where repository_id = ${repositoryId} and integration_id <> ${integrationId} limit 1`);
  return rows.length > 0;
}

/**
 * Lets go of a repository whose rows are gone. Where another integration sees it, it stays as one that was only
 * discovered; else its row goes. The lock comes first, and the look behind it: who links it meanwhile waits for the lock,
 * or is seen. Answers how many links to it went.
 */
export async function releaseOwned(
  tx: Transaction,
  { integrationId }: OfIntegration,
  repositoryId: string,
): Promise<number> {
  const owned = sql`id = ${repositoryId} and integration_id = ${integrationId}`;
  await tx.execute(sql`select from repositories where ${owned} for update`);
  const links = await tx.execute(sql`
    delete from integration_repositories
    where repository_id = ${repositoryId} and integration_id = ${integrationId} returning 1`);
  const gone = await tx.execute(sql`
    delete from repositories r where ${owned} and not exists (
      select from integration_repositories seen
      where seen.organization_id = r.organization_id and seen.repository_id = r.id)
    returning r.id`);
  if (gone.length === 0) await tx.execute(sql`${FORGET_IMPORTS} where ${owned}`);
  return links.length;
}

/** From now on it was never imported. */
const FORGET_IMPORTS = sql`
  update repositories set integration_id = null, first_imported_at = null, last_imported_at = null`;

/**
 * The repository stays discovered, marked as removed, and was never imported. Answers which integration fetched it; null:
 * none did.
 */
export async function releaseRemoved(tx: Transaction, repositoryId: string): Promise<string | null> {
  const [before] = await tx.execute<{ integrationId: string | null }>(sql`
    select integration_id as "integrationId" from repositories where id = ${repositoryId} for update`);
  await tx.execute(sql`${FORGET_IMPORTS} where id = ${repositoryId} and removed_at is not null`);
  return before?.integrationId ?? null;
}

/** Marks a repository as removed by a person. `undefined`: it is gone. */
export async function markRemoved(
  tx: Transaction,
  repositoryId: string,
): Promise<{ fullName: string; integrationId: string | null } | undefined> {
  const [row] = await tx.execute<{ fullName: string; integrationId: string | null }>(sql`
    update repositories set removed_at = clock_timestamp() where id = ${repositoryId}
    returning full_name as "fullName", integration_id as "integrationId"`);
  return row;
}

/**
 * Ends a repository as cancelled in every import that has not ended it, those that have it in hand and those where it
 * waits for its turn. Answers which.
 */
export async function cancelInImports(tx: Transaction, repositoryId: string): Promise<string[]> {
  const rows = await tx.execute<{ id: string }>(sql`
    update import_repositories set state = 'cancelled', read_by = null, finished_at = clock_timestamp(),
      waiting_since = null, waiting_until = null, waiting_reason = null
    where repository_id = ${repositoryId} and state not in ('completed', 'failed', 'cancelled')
    returning import_id as id`);
  return rows.map(({ id }) => id).toSorted();
}

/** Removes the syncs of a repository: what an import tells of many repositories, a sync tells of this one alone. */
export async function deleteSyncs(tx: Transaction, repositoryId: string): Promise<void> {
  await tx.execute(sql`
    delete from imports i using import_repositories ir
    where ir.repository_id = ${repositoryId} and i.organization_id = ir.organization_id and i.id = ir.import_id
      and i.kind = 'sync'`);
}
