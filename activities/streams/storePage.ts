import { log } from '@temporalio/activity';
import type { Database } from '../../db/client.ts';
import type { DatabaseError } from '../../db/errors.ts';
import type { Progress } from '../../db/queries/importProgress.ts';
import {
  quarantineRecords,
  releaseBrought,
  releaseQuarantined,
  type QuarantinedRecord,
  type QuarantineSource,
} from '../../db/queries/quarantine.ts';
import { keyOfBytes } from '../bitbucket/records.ts';
import { recordTexts } from '../bitbucket/recordTexts.ts';
import { advance, type ImportedStream } from './checkpoint.ts';
import { PageRefused } from './pageRefused.ts';
import { BRINGS, broughtBy } from './recordStores.ts';
import {
  findOffenders,
  isNobodyToBlame,
  isRefusedData,
  storeItems,
  type StoreRecords,
} from './storeItems.ts';
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
  /** whether records are in quarantine that a page of this stream may let go: its own, or those that it brings along */
  release: boolean;
  /** where the page came from */
  source: QuarantineSource;
}

/**
 * Writes one page in one transaction: checkpoint and counters, accounts, records, quarantine, in this lock order.
 * Where Postgres refuses the data, the offending records are found by halves, go to quarantine, and the rest is stored.
 * Whatever it stores leaves the quarantine with it, be it another stream's. Returns how many records are stored, how many
 * rows that wrote, and how many records were refused. Throws Fenced, PageRefused for data
 * that no record is to blame for, and DatabaseError for everything that is not data.
 */
export async function storePage(
  database: Database,
  reader: StreamReader,
  { stream, from, page, whenWritten, bytes, requests, release, source }: PageToStore,
): Promise<{ stored: number; written: number; refused: number }> {
  const store: StoreRecords = (tx, items) => reader.store(tx, items);
  function refusedAsWhole(error: DatabaseError): PageRefused {
    log.error('Postgres refuses a page, and none of its records by itself', { error });
    return new PageRefused(stream.stream, error);
  }

  const owner = { ...stream, stream: page.recordsOf ?? stream.stream };
  const isForeign = page.recordsOf !== undefined;
  const brings = BRINGS[stream.stream];

  async function attempt(items: Item[], refused: QuarantinedRecord[]): Promise<number> {
    const progress: Progress = {
      stored: page.stored ?? items.length,
      // Its own stream counts what it has there, at its next end.
      quarantined: isForeign ? 0 : refused.length,
      requests,
      ...(page.expected === undefined ? {} : { expected: page.expected, basis: page.basis ?? 'size' }),
    };
    return database.transaction(stream.organizationId, async (tx) => {
      // Sent one behind the other without waiting; where the first does not hold, all of it is rolled back.
      const moved = advance(tx, { ...stream, expectedPosition: from, position: page.position, progress });
      const storing = storeItems(tx, store, stream.organizationId, items);
      storing.catch(() => {});
      await moved;
      const written = await storing;
      if (written > 0 && whenWritten !== undefined) {
        await advance(tx, { ...stream, expectedPosition: page.position, position: whenWritten });
      }
      await quarantineRecords(tx, owner, uniqueByKey(refused), source);
      if (release || isForeign) await releaseQuarantined(tx, owner, keysOf(items, page, bytes));
      if (release && brings !== undefined) {
        const keys = broughtBy(items).map(({ key }) => key);
        await releaseBrought(tx, { ...stream, stream: brings }, keys);
      }
      if (page.end !== undefined) await reader.settle?.(tx, page.end);
      await page.also?.(tx);
      return written;
    });
  }
  try {
    const written = await attempt(page.items, page.rejected);
    return { stored: page.items.length, written, refused: page.rejected.length };
  } catch (error) {
    if (!isRefusedData(error)) throw error;
    const offenders = await findOffenders(database, store, stream.organizationId, page.items);
    if (isNobodyToBlame(offenders, page.items)) throw refusedAsWhole(error);
    const texts = recordTexts(bytes);
    const refused = [...offenders].map(([item, reason]) => {
      const index = page.values.indexOf(item.raw);
      const raw = texts[index] ?? new TextEncoder().encode(JSON.stringify(item.raw));
      return { key: item.key, raw, reason, index, parent: page.parent ?? null };
    });
    const rest = page.items.filter((item) => !offenders.has(item));
    const written = await attempt(rest, [...page.rejected, ...refused]).catch((again: unknown) => {
      throw isRefusedData(again) ? refusedAsWhole(again) : again;
    });
    return { stored: rest.length, written, refused: page.rejected.length + refused.length };
  }
}

/** Under which keys these records may stand in quarantine: by their own, or by their bytes where it could not be read. */
function keysOf(items: Item[], page: PageRead, bytes: Uint8Array): string[] {
  const texts = recordTexts(bytes);
  const prefix = page.parent === undefined ? '' : `${String(page.parent)}/`;
  return items.flatMap((item) => {
    const text = texts[page.values.indexOf(item.raw)];
    return text === undefined ? [item.key] : [item.key, `${prefix}${keyOfBytes(text)}`];
  });
}

const uniqueByKey = (records: readonly QuarantinedRecord[]): QuarantinedRecord[] => [
  ...new Map(records.map((record) => [record.key, record])).values(),
];
