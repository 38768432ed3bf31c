import { sql } from 'drizzle-orm';
import type { Transaction } from '../client.ts';

/** Ranges that are to be read once more. Every function runs inside a transaction of the tenant. */

/** Of one repository (`repositoryId`), or of all that the integration imported. Of two ranges the longer one counts. */
export async function askRange(
  tx: Transaction,
  { integrationId, repositoryId, since }: { integrationId: string; repositoryId?: string; since: string },
): Promise<void> {
  await tx.execute(sql`
    insert into sync_ranges as t (organization_id, repository_id, since)
    select r.organization_id, r.id, ${since}::timestamptz from repositories r
    where r.integration_id = ${integrationId} and r.first_imported_at is not null and r.removed_at is null
      and ${repositoryId === undefined ? sql`true` : sql`r.id = ${repositoryId}`}
    order by r.id
    on conflict (organization_id, repository_id) do update set
      since = least(t.since, excluded.since), asked_at = excluded.asked_at`);
}

/**
 * Takes the range that was asked for: all streams of the repository have their watermarks back there, so that whatever reads
 * them next begins there, also where a walk broke off: that one has passed a part of the range. Git knows what it lacks
 * without a watermark. False: none was asked for.
 */
export async function takeRange(tx: Transaction, repositoryId: string): Promise<boolean> {
  const rows = await tx.execute(sql`
    with taken as (
      delete from sync_ranges where repository_id = ${repositoryId} returning organization_id, repository_id, since
    ),
    set_back as (
      update streams s set watermark = least(s.watermark, taken.since), position = null from taken
      where s.organization_id = taken.organization_id and s.repository_id = taken.repository_id
        and s.watermark is not null
    )
    select from taken`);
  return rows.length > 0;
}
