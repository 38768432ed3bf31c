import { sql } from 'drizzle-orm';
import type { Transaction } from '../client.ts';
import { uuids } from './uuids.ts';

/** Which of these repositories an integration fetches, whoever's they are (a named look-up: run it without a tenant). */
export async function selectFetched(tx: Transaction, ids: readonly string[]): Promise<string[]> {
  const rows = await tx.execute<{ id: string }>(
    sql`select id from lookup_fetched_repositories(${uuids(ids)})`,
  );
  return rows.map(({ id }) => id);
}
