import { sql } from 'drizzle-orm';
import type { Transaction } from '../../client.ts';
import { isoInstant as iso } from '../isoInstant.ts';
import { kept, type PolledRepository } from './keptRepositories.ts';
import type { OfIntegration, OfWorkspace } from './scope.ts';

/** Whose turn it is: repositories by when they were asked last. Every function runs inside a transaction of the tenant. */

export interface DueRepository extends PolledRepository {
  /** of its newest pull request; null: none is stored */
  newest: string | null;
}

/**
 * The next repository behind `after`, in the order of ids, whose pull requests are to be asked for. The longer they rest,
 * the seldomer: `quietShare` of the time since the last change must have passed since it was asked, at most a day.
 */
export async function nextDueRepository(
  tx: Transaction,
  input: OfWorkspace & { after: string | null },
): Promise<DueRepository | undefined> {
  const [row] = await tx.execute<DueRepository>(sql`
    select r.id as "repositoryId", r.full_name as "fullName", ${iso(sql`newest.at`)} as newest
    from repositories r
    left join repository_syncs y on y.organization_id = r.organization_id and y.repository_id = r.id
    cross join lateral (select max(p.updated_on) as at from pull_requests p
      where p.organization_id = r.organization_id and p.repository_id = r.id) newest
    where r.workspace_id = ${input.workspaceId} and ${kept(input)}
      and ${input.after === null ? sql`true` : sql`r.id > ${input.after}::uuid`}
      and (y.polled_at is null or y.polled_at < clock_timestamp() - least(interval '1 day',
        (clock_timestamp() - coalesce(newest.at, r.created_on, r.first_imported_at)) / 24))
    order by r.id limit 1`);
  return row;
}

/** Notes that a repository was asked for. Makes its row where there is none. */
export async function notePolled(
  tx: Transaction,
  {
    organizationId,
    repositoryId,
    rotated,
  }: { organizationId: string; repositoryId: string; rotated: boolean },
): Promise<void> {
  const now = sql`clock_timestamp()`;
  await tx.execute(
    rotated
      ? sql`insert into repository_syncs (organization_id, repository_id, rotated_at)
          values (${organizationId}, ${repositoryId}, ${now})
          on conflict (organization_id, repository_id) do update set rotated_at = excluded.rotated_at`
      : sql`insert into repository_syncs (organization_id, repository_id, polled_at)
          values (${organizationId}, ${repositoryId}, ${now})
          on conflict (organization_id, repository_id) do update set polled_at = excluded.polled_at`,
  );
}

export interface RotatedRepository extends PolledRepository {
  hasIssues: boolean | null;
}

/** The repository that the rotation has not looked at for longest, and not since `before`. */
export async function nextInRotation(
  tx: Transaction,
  input: OfIntegration & { before: string },
): Promise<RotatedRepository | undefined> {
  const [row] = await tx.execute<RotatedRepository>(sql`
    select r.id as "repositoryId", r.full_name as "fullName", r.has_issues as "hasIssues"
    from repositories r
    left join repository_syncs y on y.organization_id = r.organization_id and y.repository_id = r.id
    where ${kept(input)} and coalesce(y.rotated_at, r.first_imported_at) < ${input.before}::timestamptz
    order by coalesce(y.rotated_at, r.first_imported_at), r.id limit 1`);
  return row;
}
