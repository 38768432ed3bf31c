import { sql } from 'drizzle-orm';
import type { Transaction } from '../client.ts';

/**
 * For the rest of this transaction (`Database.transaction`: a `read` is none) joins go by hash or merge. For statements that hold all records of a repository
 * against each other: of tables that have just been filled the planner believes that they hold a row or two, and a
 * nested loop over them takes the square of what they hold (5,000 pull requests: minutes in place of milliseconds).
 */
export async function joinByHash(tx: Transaction): Promise<void> {
  await tx.execute(sql`select set_config('enable_nestloop', 'off', true)`);
}
