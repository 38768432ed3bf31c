import { sql, type SQL } from 'drizzle-orm';
import { type Service, SERVICES } from '../../../workflows/words.ts';
import type { Transaction } from '../../client.ts';
import { isAbsent } from '../presence.ts';
import type { OfIntegration, OfWorkspace } from './scope.ts';

/** The repositories that polls keep current. Every function runs inside a transaction of the tenant. */

/** Who asks for a range of everything tells thousands of repositories one by one: a round need not tell them meanwhile. */
const TOLD_WITHIN_MS = 15 * 60_000;

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

/**
 * The uuid of one of a workspace's repositories that are kept current; `at`: how many come before it. First come those that
 * fared well: what went by itself says nothing about the workspace.
 */
export async function readWitness(
  tx: Transaction,
  input: OfWorkspace & { at: number },
): Promise<string | undefined> {
  const [row] = await tx.execute<{ uuid: string }>(sql`
    select r.provider_uuid as uuid from repositories r
    left join repository_syncs y on y.organization_id = r.organization_id and y.repository_id = r.id
    where r.workspace_id = ${input.workspaceId} and ${kept(input)}
    order by coalesce(y.failures, 0), r.id offset ${input.at} limit 1`);
  return row?.uuid;
}

/**
 * What was missed while nothing was fetched, and ranges that nobody took yet (whoever was told of them may have been told
 * before they were asked for): for the next round to take up. What is parked behind a failure has its own time,
 * and nobody reads what is switched off.
 */
export async function listMissed(
  tx: Transaction,
  input: OfIntegration,
): Promise<(PolledRepository & { services: Service[] })[]> {
  return tx.execute<PolledRepository & { services: Service[] }>(sql`
    select r.id as "repositoryId", r.full_name as "fullName", array_agg(distinct m.service) as services
    from (
      select organization_id, repository_id, unnest(missed) as service from repository_syncs
      where missed is not null and coalesce(next_attempt_at <= clock_timestamp(), true)
      union all select organization_id, repository_id, service
      from sync_ranges cross join jsonb_array_elements_text(${JSON.stringify(SERVICES)}::jsonb) as service
      where asked_at < clock_timestamp() - make_interval(secs => ${TOLD_WITHIN_MS / 1000})
    ) m
    join repositories r on r.organization_id = m.organization_id and r.id = m.repository_id
    join integrations n on n.organization_id = r.organization_id and n.id = r.integration_id
    where ${kept(input)} and m.service = any (n.services) group by r.id order by r.id`);
}
