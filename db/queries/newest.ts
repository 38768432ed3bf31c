import { sql } from 'drizzle-orm';
import type { Transaction } from '../client.ts';
import type { RepositoryScope } from './upsert.ts';

/** The newest records of a table, by what Bitbucket says of them. */
export interface NewestStored {
  updatedOn: string;
  /** of one of them */
  number: number;
  /** how many rows are as new, or changed later than `since` */
  asNew: number;
}

/** The record of a repository that changed last; undefined when there is none. `since`: ISO time. */
export async function readNewest(
  tx: Transaction,
  scope: RepositoryScope,
  table: 'pull_requests' | 'tickets',
  since: string,
): Promise<NewestStored | undefined> {
  const rows = sql`${sql.identifier(table)}
    where organization_id = ${scope.organizationId} and repository_id = ${scope.repositoryId}`;
  const [row] = await tx.execute<{ updatedOn: string | null; number: number; asNew: number }>(sql`
    with newest as materialized (select max(updated_on) as updated_on from ${rows})
    select newest.updated_on::text as "updatedOn",
      (select max(number)::int from ${rows} and updated_on = newest.updated_on) as number, (
      select count(*)::int from ${rows}
        and updated_on >= least(newest.updated_on - interval '1 second', ${since}::timestamptz)) as "asNew"
    from newest`);
  return row === undefined || row.updatedOn === null ? undefined : { ...row, updatedOn: row.updatedOn };
}
