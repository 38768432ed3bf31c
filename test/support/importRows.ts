import { sql } from 'drizzle-orm';
import type { Stack } from './stack.ts';

/** What an import has safely stored so far, by its own counters. */
export interface Stored {
  records: number;
  /** those of the stream `commits` alone */
  commits: number;
  /** repositories whose import has begun and not ended */
  inHand: number;
}

export async function storedSoFar(stack: Stack, importId: string): Promise<Stored> {
  const [row] = await stack.rows.transaction(stack.organizationId, (tx) =>
    tx.execute(sql`
      select
        (select coalesce(sum(records_stored), 0) from import_streams where import_id = ${importId})::float8 as records,
        (select coalesce(sum(records_stored), 0) from import_streams
          where import_id = ${importId} and stream = 'commits')::float8 as commits,
        (select count(*) from import_repositories
          where import_id = ${importId} and started_at is not null and finished_at is null)::float8 as in_hand`),
  );
  return {
    records: Number(row?.['records']),
    commits: Number(row?.['commits']),
    inHand: Number(row?.['in_hand']),
  };
}
