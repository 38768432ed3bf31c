import { sql } from 'drizzle-orm';
import type { Service } from '../../../workflows/words.ts';
import type { Transaction } from '../../client.ts';
import { isoInstant as iso } from '../isoInstant.ts';
import { kept, type PolledRepository } from './keptRepositories.ts';
import type { OfIntegration } from './scope.ts';
import { joinMissed } from '../syncs.ts';

/** What of Bitbucket's answers is news. Every function runs inside a transaction of the tenant. */

/** When Bitbucket says that it changed; of several changes the oldest. */
export interface ChangedRepository extends PolledRepository {
  changedAt: string | null;
}

/**
 * Which of the repositories that Bitbucket says were updated then are kept current, were not told of since, and not read
 * since: `overlapMs` is how far Bitbucket's clock and ours may lie apart.
 */
export async function selectPushed(
  tx: Transaction,
  input: OfIntegration & { updated: readonly { uuid: string; at: string | null }[]; overlapMs: number },
): Promise<ChangedRepository[]> {
  return tx.execute<ChangedRepository>(sql`
    select r.id as "repositoryId", r.full_name as "fullName", ${iso(sql`u.at`)} as "changedAt"
    from jsonb_to_recordset(${JSON.stringify(input.updated)}::jsonb) as u (uuid text, at timestamptz)
    join repositories r on r.organization_id = ${input.organizationId} and r.provider_uuid = u.uuid
    left join repository_syncs y on y.organization_id = r.organization_id and y.repository_id = r.id
    where ${kept(input)} and coalesce(u.at > y.pushed_on, true)
      and coalesce(u.at + make_interval(secs => ${input.overlapMs / 1000}) >= (
        select max(ir.started_at) from import_repositories ir
        join imports i on i.organization_id = ir.organization_id and i.id = ir.import_id
        where ir.organization_id = r.organization_id and ir.repository_id = r.id and ir.state = 'completed'
          and (i.services is null or 'repositories' = any (i.services))), true)
    order by r.id`);
}

/**
 * Remembers which of these changed behind the beginning of the import that brings them in for the first time: it may have
 * read past them already (git, for one, once and first). The round behind the import takes them up. To be called before
 * those are selected that are kept current: an import that ends between the two is seen by one of them.
 */
export async function noteChangedInFirstImport(
  tx: Transaction,
  input: OfIntegration & {
    updated: readonly { uuid: string; at: string | null }[];
    service: Service;
    overlapMs: number;
  },
): Promise<void> {
  await tx.execute(sql`
    insert into repository_syncs as y (organization_id, repository_id, missed)
    select distinct r.organization_id, r.id, array[${input.service}::text]
    from jsonb_to_recordset(${JSON.stringify(input.updated)}::jsonb) as u (uuid text, at timestamptz)
    join repositories r on r.organization_id = ${input.organizationId} and r.provider_uuid = u.uuid
    where r.integration_id = ${input.integrationId} and r.first_imported_at is null and exists (
      select from import_repositories ir
      where ir.organization_id = r.organization_id and ir.repository_id = r.id
        and ir.state not in ('completed', 'failed', 'cancelled')
        and ir.started_at <= u.at + make_interval(secs => ${input.overlapMs / 1000}))
    order by r.id
    ${joinMissed}
    where not coalesce(y.missed @> excluded.missed, false)`);
}

/** These were told of: until they are updated again, a poll need not tell them once more. */
export async function notePushed(
  tx: Transaction,
  input: OfIntegration & { updated: readonly { uuid: string; at: string | null }[] },
): Promise<void> {
  await tx.execute(sql`
    insert into repository_syncs as y (organization_id, repository_id, pushed_on)
    select r.organization_id, r.id, u.at
    from jsonb_to_recordset(${JSON.stringify(input.updated)}::jsonb) as u (uuid text, at timestamptz)
    join repositories r on r.organization_id = ${input.organizationId} and r.provider_uuid = u.uuid
    where ${kept(input)} and u.at is not null
    order by r.id
    on conflict (organization_id, repository_id) do update set pushed_on = excluded.pushed_on
    where y.pushed_on is distinct from excluded.pushed_on`);
}

/** Which repositories have one of these pull requests in an older version, or not at all. */
export async function selectWithNewerPullRequests(
  tx: Transaction,
  input: OfIntegration & { seen: readonly { repository: string; number: number; updated: string }[] },
): Promise<ChangedRepository[]> {
  return tx.execute<ChangedRepository>(sql`
    select r.id as "repositoryId", r.full_name as "fullName", ${iso(sql`min(s.updated)`)} as "changedAt"
    from jsonb_to_recordset(${JSON.stringify(input.seen)}::jsonb)
      as s (repository text, number integer, updated timestamptz)
    join repositories r on r.organization_id = ${input.organizationId} and r.provider_uuid = s.repository
    left join pull_requests p on p.organization_id = r.organization_id and p.repository_id = r.id
      and p.number = s.number
    where ${kept(input)} and (p.updated_on is null or p.updated_on < s.updated)
    group by r.id, r.full_name order by r.id`);
}

/** Whether one of these entries of the activity feed is not stored. */
export async function hasUnknownEntry(
  tx: Transaction,
  input: { repositoryId: string; entries: readonly { number: number; key: string }[] },
): Promise<boolean> {
  const [row] = await tx.execute<{ unknown: boolean }>(sql`
    select exists (
      select from jsonb_to_recordset(${JSON.stringify(input.entries)}::jsonb) as e (number integer, key text)
      where not exists (select from pull_request_activity a
        where a.repository_id = ${input.repositoryId} and a.pull_request_number = e.number and a.entry_key = e.key)
    ) as unknown`);
  return row?.unknown === true;
}
