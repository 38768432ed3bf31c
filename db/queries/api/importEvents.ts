import { sql } from 'drizzle-orm';
import type { Transaction } from '../../client.ts';
import type { EventPlace } from './events.ts';
import { hasSettled } from './hasSettled.ts';
import { limitTo } from './limitTo.ts';

/** A place among the events of one import, and its number among them, from 1. */
export interface ImportEventPlace extends EventPlace {
  ordinal: number;
}

export interface ImportEvent extends ImportEventPlace {
  type: string;
  repositoryId: string | null;
  data: Record<string, unknown>;
  at: string;
}

/** As Postgres answers: its number follows from where it was read from. */
interface Row extends EventPlace, Record<string, unknown> {
  type: string;
  repositoryId: string | null;
  data: Record<string, unknown>;
  at: string;
  settled: boolean;
}

/** The place of an import's event, by its number from 1; null: it has not so many. */
export async function findImportEvent(
  tx: Transaction,
  { importId, ordinal }: { importId: string; ordinal: number },
): Promise<ImportEventPlace | null> {
  const [place] = await tx.execute<EventPlace & Record<string, unknown>>(sql`
    select xact::text as xact, id::text as id from import_events e where import_id = ${importId}
    order by e.xact, e.id offset ${ordinal - 1} limit 1`);
  return place === undefined ? null : { ...place, ordinal };
}

/**
 * What happened behind a place (null: from the beginning), oldest first, as far as nothing can appear before it any more
 * (`hasSettled`): so an event keeps its number. `pending`: there is more to come.
 */
export async function readImportEvents(
  tx: Transaction,
  { importId, after, limit }: { importId: string; after: ImportEventPlace | null; limit: number },
): Promise<{ events: ImportEvent[]; pending: boolean }> {
  const { xact, id, ordinal } = after ?? { xact: '0', id: '0', ordinal: 0 };
  const rows = await tx.execute<Row>(sql`
    select xact::text as xact, id::text as id, type, repository_id as "repositoryId", data, at,
      ${hasSettled(sql`e.xact`)} as settled
    from import_events e
    where import_id = ${importId} and (e.xact, e.id) > (${xact}::xid8, ${id}::bigint)
    order by e.xact, e.id ${limitTo(limit)}`);
  const firstOpen = rows.findIndex(({ settled }) => !settled);
  const settled = firstOpen === -1 ? rows : rows.slice(0, firstOpen);
  const events = settled.map((row, index) => ({ ...row, ordinal: ordinal + index + 1 }));
  return { events, pending: events.length < rows.length || rows.length === limit };
}
