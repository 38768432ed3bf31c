import { setTimeout as sleep } from 'node:timers/promises';
import { RECORD_TABLES } from '../../test/support/recordTables.ts';
import type { Stand } from './stand.ts';

/** A connection reports its counts when it falls idle, at the latest 10 s after (Postgres' pgstat.c). */
const REPORTED_AFTER_MS = 12_000;
const POLL_MS = 1_000;

/** Row versions written so far in the tables of imported data, when all connections have reported theirs. */
export async function rowVersions({ sql }: Pick<Stand, 'sql'>): Promise<number> {
  const count = async (): Promise<number> => {
    const [row] = await sql<{ versions: number }[]>`
      select sum(n_tup_ins + n_tup_upd + n_tup_del)::float8 as versions
      from pg_stat_user_tables where relname in ${sql(RECORD_TABLES)}`;
    return row?.versions ?? 0;
  };
  let last = await count();
  for (let since = performance.now(); performance.now() - since < REPORTED_AFTER_MS; ) {
    await sleep(POLL_MS);
    const now = await count();
    if (now !== last) since = performance.now();
    last = now;
  }
  return last;
}
