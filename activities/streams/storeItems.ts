import type { Database, Transaction } from '../../db/client.ts';
import { DatabaseError } from '../../db/errors.ts';
import { upsertAccounts } from '../../db/queries/accounts.ts';
import { uniqueAccounts } from './accountRows.ts';
import type { Item } from './streamReader.ts';

/** Writes the records of one stream, keys sorted, one statement a table; returns how many were new or changed. */
export type StoreRecords = (tx: Transaction, items: readonly Item[]) => Promise<number>;

// 22xxx: data exceptions; 54xxx: program limits, e.g. a key too long for its index.
export const isRefusedData = (error: unknown): error is DatabaseError =>
  error instanceof DatabaseError && /^(22|54)/.test(error.code);

class RolledBack extends Error {}

/** Writes records with the accounts that they name, in this lock order. */
export async function storeItems(
  tx: Transaction,
  store: StoreRecords,
  organizationId: string,
  items: readonly Item[],
): Promise<number> {
  // Sent one behind the other without waiting: the first that fails decides.
  const [, written] = await Promise.all([
    upsertAccounts(tx, organizationId, uniqueAccounts(items.flatMap((item) => item.accounts))),
    store(tx, items),
  ]);
  return written;
}

/**
 * Which of these records Postgres refuses, with its reason. Tries ever smaller halves in transactions that are rolled
 * back: about 2·log2(n) attempts for one bad record. Throws DatabaseError for everything that is not data.
 */
export async function findOffenders(
  database: Database,
  store: StoreRecords,
  organizationId: string,
  items: readonly Item[],
): Promise<Map<Item, string>> {
  const refusal = await tryOut(database, store, organizationId, items);
  const [only] = items;
  if (refusal === undefined || only === undefined) return new Map();
  if (items.length === 1) return new Map([[only, `Postgres refuses it: ${refusal.message}`]]);
  const middle = Math.ceil(items.length / 2);
  const left = await findOffenders(database, store, organizationId, items.slice(0, middle));
  const right = await findOffenders(database, store, organizationId, items.slice(middle));
  return new Map([...left, ...right]);
}

/** None alone, or all of several: no record can be blamed, the error is ours, and quarantine would hide it. */
export const isNobodyToBlame = (offenders: ReadonlyMap<Item, string>, items: readonly Item[]): boolean =>
  offenders.size === 0 || (offenders.size > 1 && offenders.size === items.length);

async function tryOut(
  database: Database,
  store: StoreRecords,
  organizationId: string,
  items: readonly Item[],
): Promise<DatabaseError | undefined> {
  try {
    await database.transaction(organizationId, async (tx) => {
      await storeItems(tx, store, organizationId, items);
      throw new RolledBack('Only tried out.');
    });
  } catch (error) {
    if (error instanceof RolledBack) return undefined;
    if (isRefusedData(error)) return error;
    throw error;
  }
  return undefined;
}
