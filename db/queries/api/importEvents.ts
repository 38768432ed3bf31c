import { sql } from 'drizzle-orm';
import type { Transaction } from '../../client.ts';
import { limitTo } from './limitTo.ts';

export interface ImportEventRow extends Record<string, unknown> {
  id: number;
  type: string;
  repositoryId: string | null;
  data: Record<string, unknown>;
  at: string;
}

/**
 * What happened after the event with this id, oldest first. The newest half second is held back: ids are given before
 * transactions commit, so a lower one may still appear behind a higher one. `pending`: there is more to come.
 */
export async function readImportEvents(
  tx: Transaction,
  { importId, afterId, limit }: { importId: string; afterId: number; limit: number },
): Promise<{ events: ImportEventRow[]; pending: boolean }> {
  const rows = await tx.execute<ImportEventRow & { fresh: boolean }>(sql`
    select id::float8 as id, type, repository_id as "repositoryId", data, at,
      at > clock_timestamp() - interval '500 milliseconds' as fresh
    from import_events where import_id = ${importId} and id > ${afterId}
    order by id ${limitTo(limit)}`);
  const firstFresh = rows.findIndex(({ fresh }) => fresh);
  const events = firstFresh === -1 ? [...rows] : rows.slice(0, firstFresh);
  return { events, pending: events.length < rows.length || rows.length === limit };
}
