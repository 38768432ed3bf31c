import type { Database, Transaction } from '../db/client.ts';
import { DatabaseError } from '../db/errors.ts';
import { upsertAccounts } from '../db/queries/accounts.ts';
import type { Progress } from '../db/queries/importProgress.ts';
import { quarantineRecords, releaseQuarantined, type QuarantinedRecord } from '../db/queries/quarantine.ts';
import { uniqueAccounts } from './accountRows.ts';
import { recordTexts } from './bitbucket/recordTexts.ts';
import { advance, type ImportedStream } from './checkpoint.ts';
import type { Item, PageRead, Position, StreamReader } from './streamReader.ts';

export interface PageToStore {
  stream: ImportedStream & { epoch: number };
  from: Position | null;
  page: PageRead;
  /** the position to take instead when the page wrote rows; it differs in nothing that is asked for */
  whenWritten: Position | undefined;
  /** the answer's bytes */
  bytes: Uint8Array;
  /** requests made since the last page was stored, this one's included */
  requests: number;
  /** whether this stream has records in quarantine that a page may let go */
  release: boolean;
}

// 22xxx: data exceptions; 54xxx: program limits, e.g. a key too long for its index.
const isRefusedData = (error: unknown): error is DatabaseError =>
  error instanceof DatabaseError && /^(22|54)/.test(error.code);

class RolledBack extends Error {}

const storeRecords = async (tx: Transaction, reader: StreamReader, organizationId: string, items: Item[]) => {
  await upsertAccounts(tx, organizationId, uniqueAccounts(items.flatMap((item) => item.accounts)));
  return reader.store(tx, items);
};

/**
 * Writes one page in one transaction: checkpoint and counters, accounts, records, quarantine, in this lock order.
 * Where Postgres refuses the data, the offending records are found by halves, go to quarantine, and the rest is stored.
 * Returns how many records are stored, and how many rows that wrote. Throws Fenced, and DatabaseError for everything that is not data.
 */
export async function storePage(
  database: Database,
  reader: StreamReader,
  { stream, from, page, whenWritten, bytes, requests, release }: PageToStore,
): Promise<{ stored: number; written: number }> {
  async function attempt(items: Item[], refused: QuarantinedRecord[]): Promise<number> {
    const progress: Progress = {
      stored: page.stored ?? items.length,
      quarantined: refused.length,
      requests,
      ...(page.expected === undefined ? {} : { expected: page.expected, basis: page.basis ?? 'size' }),
    };
    return database.transaction(stream.organizationId, async (tx) => {
      await advance(tx, { ...stream, expectedPosition: from, position: page.position, progress });
      const written = await storeRecords(tx, reader, stream.organizationId, items);
      if (written > 0 && whenWritten !== undefined) {
        await advance(tx, { ...stream, expectedPosition: page.position, position: whenWritten });
      }
      await quarantineRecords(tx, stream, uniqueByKey(refused));
      if (release)
        await releaseQuarantined(
          tx,
          stream,
          items.map((item) => item.key),
        );
      return written;
    });
  }
  try {
    const written = await attempt(page.items, page.rejected);
    return { stored: page.items.length, written };
  } catch (error) {
    if (!isRefusedData(error)) throw error;
    const offenders = await findOffenders(database, reader, stream.organizationId, page.items);
    // None alone, or all of several: no record can be blamed, the error is ours, and quarantine would hide it.
    if (offenders.size === 0 || (offenders.size > 1 && offenders.size === page.items.length)) throw error;
    const texts = recordTexts(bytes);
    const refused = [...offenders].map(([item, reason]) => ({
      key: item.key,
      raw: texts[page.values.indexOf(item.raw)] ?? new TextEncoder().encode(JSON.stringify(item.raw)),
      reason,
    }));
    const rest = page.items.filter((item) => !offenders.has(item));
    const written = await attempt(rest, [...page.rejected, ...refused]);
    return { stored: rest.length, written };
  }
}

/** Tries ever smaller halves in transactions that are rolled back: about 2·log2(n) attempts for one bad record. */
async function findOffenders(
  database: Database,
  reader: StreamReader,
  organizationId: string,
  items: Item[],
): Promise<Map<Item, string>> {
  const refusal = await tryOut(database, reader, organizationId, items);
  const [only] = items;
  if (refusal === undefined || only === undefined) return new Map();
  if (items.length === 1) return new Map([[only, `Postgres refuses it: ${refusal.message}`]]);
  const middle = Math.ceil(items.length / 2);
  const left = await findOffenders(database, reader, organizationId, items.slice(0, middle));
  const right = await findOffenders(database, reader, organizationId, items.slice(middle));
  return new Map([...left, ...right]);
}

async function tryOut(
  database: Database,
  reader: StreamReader,
  organizationId: string,
  items: Item[],
): Promise<DatabaseError | undefined> {
  try {
    await database.transaction(organizationId, async (tx) => {
      await storeRecords(tx, reader, organizationId, items);
      throw new RolledBack('Only tried out.');
    });
  } catch (error) {
    if (error instanceof RolledBack) return undefined;
    if (isRefusedData(error)) return error;
    throw error;
  }
  return undefined;
}

const uniqueByKey = (records: readonly QuarantinedRecord[]): QuarantinedRecord[] => [
  ...new Map(records.map((record) => [record.key, record])).values(),
];
