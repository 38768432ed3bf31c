import type { Database, Transaction } from '../../db/client.ts';
import { deleteNext, isMeant, type LastKey, type Owner } from '../../db/queries/removal/deleteRows.ts';
import { addRemoved, type Removed } from '../../db/queries/removal/progress.ts';
import type { PurgedTable } from '../../db/queries/removal/tables.ts';

/** No transaction deletes more: others that wait for its locks, and vacuum, wait for a short one. */
export const ROWS_A_TRANSACTION = 5_000;

/** What is removed together: the rows of one repository, import, estimate, or of the integration itself. */
export interface Purgeable {
  owner: Owner;
  /** children before parents */
  tables: readonly PurgedTable[];
  /** First in each transaction; false: the rows are not ours to remove any more, so none is. Left out: they always are. */
  hold?: (tx: Transaction) => Promise<boolean>;
  /** In the transaction that finds that no row is left. Answers how many counted rows it removes itself. */
  finish?: (tx: Transaction) => Promise<number>;
}

export interface PurgeRun {
  database: Database;
  /** whose progress counts the rows */
  removed: Removed;
  rowsATransaction: number;
  /** true: enough for this activity; the next one goes on */
  isOver: () => boolean;
}

interface Place {
  table: number;
  after: LastKey;
}

const START: Place = { table: 0, after: null };

/**
 * Removes the rows of one owner, in transactions of a few thousand. Nothing but the rows says how far it is, so another
 * attempt begins at the first table and finds what is left. False: it is over, and rows may be left.
 *
 * A pass that ran over several transactions is followed by another one from the beginning, and only what finds nothing
 * more within one transaction ends: a row that another statement moved while it was to be deleted is found by it.
 */
export async function purgeOwner(run: PurgeRun, purgeable: Purgeable): Promise<boolean> {
  let place = START;
  for (;;) {
    if (run.isOver()) return false;
    const from = place;
    const next = await run.database.transaction(purgeable.owner.organizationId, (tx) =>
      step(tx, run, purgeable, from),
    );
    if (next === 'done') return true;
    place = next;
  }
}

async function step(
  tx: Transaction,
  run: PurgeRun,
  { owner, tables, hold, finish }: Purgeable,
  from: Place,
): Promise<Place | 'done'> {
  if (hold !== undefined && !(await hold(tx))) return 'done';
  const meant = tables.filter((table) => isMeant(table, owner));
  let place = from;
  let room = run.rowsATransaction;
  let removed = 0;
  for (let table = meant[place.table]; table !== undefined && room > 0; table = meant[place.table]) {
    // A row that takes others along counts for as many.
    const weight = Math.ceil(ROWS_A_TRANSACTION / (table.rows ?? ROWS_A_TRANSACTION));
    const limit = Math.max(1, Math.floor(room / weight));
    const chunk = await deleteNext(tx, { table, owner, after: place.after, limit });
    removed += chunk.removed;
    room -= chunk.removed * weight;
    place = chunk.last === null ? { table: place.table + 1, after: null } : { ...place, after: chunk.last };
  }
  const isWhole = from === START && place.table >= meant.length;
  if (isWhole) removed += (await finish?.(tx)) ?? 0;
  await addRemoved(tx, run.removed, removed);
  if (isWhole) return 'done';
  return place.table >= meant.length ? START : place;
}
