import { sql } from 'drizzle-orm';
import type { Transaction } from '../client.ts';

/** Postgres' clock, ISO: the one clock that all workers share. */
export async function readClock(tx: Transaction): Promise<string> {
  const [row] = await tx.execute<{ now: string }>(
    sql`select to_char(clock_timestamp() at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as now`,
  );
  return row?.now ?? new Date().toISOString();
}
