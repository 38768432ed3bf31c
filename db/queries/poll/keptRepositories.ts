import { sql, type SQL } from 'drizzle-orm';
import type { Service } from '../../../workflows/words.ts';
import type { Transaction } from '../../client.ts';
import { isAbsent } from '../presence.ts';
import type { OfIntegration, OfWorkspace } from './scope.ts';

/** The repositories that polls keep current. Every function runs inside a transaction of the tenant. */

/** A repository that a poll finds changed. */
export interface PolledRepository extends Record<string, unknown> {
  repositoryId: string;
  fullName: string;
}

/** Repositories `r` that this integration keeps current: nothing is asked of those that are gone or out of reach. */
export const kept = ({ integrationId }: { integrationId: string }): SQL =>
  sql`r.integration_id = ${integrationId} and r.first_imported_at is not null and not ${isAbsent}`;

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
