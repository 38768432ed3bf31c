import { sql } from 'drizzle-orm';
import type { RemovalStep } from '../../../workflows/words.ts';
import type { Transaction } from '../../client.ts';

export interface RemovalRow extends Record<string, unknown> {
  step: RemovalStep;
  rowsTotal: number | null;
  rowsRemoved: number;
  requestedByKey: string | null;
  requestedByUser: string | null;
  requestedAt: string;
  updatedAt: string;
}

/** How far the removal of an integration or a repository is; null: none is under way. */
export async function readRemoval(tx: Transaction, subjectId: string): Promise<RemovalRow | null> {
  const [row] = await tx.execute<RemovalRow>(sql`
    select step, rows_total::float8 as "rowsTotal", rows_removed::float8 as "rowsRemoved",
      requested_by_key as "requestedByKey", requested_by_user as "requestedByUser", requested_at as "requestedAt",
      updated_at as "updatedAt"
    from removals where subject_id = ${subjectId}`);
  return row ?? null;
}

/** Which of the repositories are being removed at this moment, in the order given. */
export async function selectBeingRemoved(tx: Transaction, ids: readonly string[]): Promise<string[]> {
  const rows = await tx.execute<{ id: string }>(sql`
    select asked.id from unnest(${`{${ids.join(',')}}`}::uuid[]) with ordinality as asked (id, place)
    where exists (select from removals d where d.subject_id = asked.id) order by asked.place`);
  return rows.map(({ id }) => id);
}
