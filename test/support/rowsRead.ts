import { sql } from 'drizzle-orm';
import type { Transaction } from '../../db/client.ts';

/**
 * How many rows of these tables `work` reads, by Postgres' own count. In the transaction of `work`, since what a session
 * counted is told to the statistics, and forgotten here, between two of them.
 */
export async function countRowsRead(
  tx: Transaction,
  tables: readonly string[],
  work: () => Promise<unknown>,
): Promise<number> {
  const before = await soFar(tx, tables);
  await work();
  return (await soFar(tx, tables)) - before;
}

async function soFar(tx: Transaction, tables: readonly string[]): Promise<number> {
  const [row] = await tx.execute<{ rows: number }>(sql`
    select coalesce(sum(seq_tup_read + idx_tup_fetch), 0)::int as rows from pg_stat_xact_user_tables
    where relname in (select jsonb_array_elements_text(${JSON.stringify(tables)}::jsonb))`);
  return row?.rows ?? Number.NaN;
}
