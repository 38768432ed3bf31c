import type { Database } from '../../db/client.ts';
import {
  advanceRetry,
  endRetry,
  holdRetry,
  keepAgain,
  type KeptRow,
  lockStreams,
  releaseKept,
  selectKept,
} from '../../db/queries/quarantineRetries.ts';
import { selectBrought } from '../../db/queries/quarantine.ts';
import { oweDetails } from '../../db/queries/tickets.ts';
import { askPullRequests } from '../../db/queries/wantedPullRequests.ts';
import type { QuarantineActivities } from '../../workflows/contracts/quarantine.ts';
import { STREAMS_OF_SERVICE } from '../../workflows/words.ts';
import { withHeartbeats } from '../heartbeats.ts';
import { parseQuarantined } from './parseQuarantined.ts';
import { BRINGS, broughtBy, storeOf } from '../streams/recordStores.ts';
import { Fenced } from '../streams/checkpoint.ts';
import { findOffenders, isRefusedData, storeItems, type StoreRecords } from '../streams/storeItems.ts';
import type { Item } from '../streams/streamReader.ts';

export interface QuarantineOptions {
  database: Database;
  /** what one transaction takes */
  records?: number;
  bytes?: number;
  /** records an activity tries at most */
  recordsAChunk?: number;
  /** transactions of an activity at most: many streams may have a record or two each */
  stepsAChunk?: number;
}

type ChunkInput = Parameters<QuarantineActivities['retryQuarantined']>[0];

interface Step {
  tried: number;
  stored: number;
}

/** Records that could be read, each with the id of its row in quarantine, and how they are written. */
interface Attempt {
  items: Map<Item, string>;
  store: StoreRecords;
}

/** Tries records of the quarantine again. They are in Postgres with their bytes, so nothing here asks Bitbucket. */
export function createQuarantineActivities({
  database,
  records = 200,
  bytes = 16 * 1_048_576,
  recordsAChunk = 2_000,
  stepsAChunk = 50,
}: QuarantineOptions): QuarantineActivities {
  async function retryQuarantined(
    input: ChunkInput,
  ): Promise<{ more: boolean; tried: number; stored: number }> {
    const sum = { tried: 0, stored: 0 };
    for (let steps = 0; steps < stepsAChunk && sum.tried < recordsAChunk; steps += 1) {
      const done = await tryNext(input);
      if (done === undefined) return { more: false, ...sum };
      sum.tried += done.tried;
      sum.stored += done.stored;
    }
    return { more: true, ...sum };
  }

  /** Where Postgres refuses the data, the offenders are found apart from the transaction and stay; the rest is stored. */
  async function tryNext(input: ChunkInput): Promise<Step | undefined> {
    let attempt: Attempt | undefined;
    try {
      return await step(input, new Map(), (tried) => {
        attempt = tried;
      });
    } catch (error) {
      if (!isRefusedData(error) || attempt === undefined) throw error;
      const { items, store } = attempt;
      const offenders = await findOffenders(database, store, input.organizationId, [...items.keys()]);
      if (offenders.size === 0) throw error;
      return step(input, new Map([...offenders].map(([item, reason]) => [items.get(item) ?? '', reason])));
    }
  }

  /**
   * One transaction: a few records of one stream, with what those bring along of another, and the retry's place behind them.
   * `undefined`: there are no more.
   */
  async function step(
    input: ChunkInput,
    refused: ReadonlyMap<string, string>,
    onAttempt: (attempt: Attempt) => void = () => {},
  ): Promise<Step | undefined> {
    const { organizationId, integrationId, retryId } = input;
    return database.transaction(organizationId, async (tx) => {
      const retry = await holdRetry(tx, retryId);
      if (retry === undefined) return undefined;
      const rows = await selectKept(tx, { retry, integrationId, limit: records, maxBytes: bytes });
      const [first] = rows;
      const last = rows.at(-1);
      if (first === undefined || last === undefined) return undefined;
      const { repositoryId, stream } = first;
      const { items, kept } = read(rows, refused);
      const released = [...items.values()];
      if (items.size > 0) {
        // Then its quarantine goes too: the next look finds others, or none.
        const brings = BRINGS[stream];
        const streams = stream === 'tickets' ? STREAMS_OF_SERVICE.tickets : [stream, brings ?? stream];
        if (!(await lockStreams(tx, { repositoryId, streams })).includes(stream))
          throw new Fenced({ organizationId, repositoryId, stream });
        const scope = { organizationId, repositoryId };
        const store = storeOf(stream, scope);
        onAttempt({ items, store });
        const written = await storeItems(tx, store, organizationId, [...items.keys()]);
        if (brings !== undefined) {
          const brought = broughtBy([...items.keys()]);
          released.push(...(await selectBrought(tx, { ...scope, stream: brings }, brought)));
        }
        // The comments' watermark may lie behind what was stored out of turn.
        if (stream === 'pull_requests' && written > 0) {
          const commented = [...items.keys()].filter(({ row }) => Number(row['comment_count']) > 0);
          await askPullRequests(
            tx,
            organizationId,
            commented.map(({ row }) => ({ repositoryId, number: Number(row['number']), part: 'comments' })),
          );
        }
        if (stream === 'tickets' && written > 0) {
          await oweDetails(
            tx,
            scope,
            [...items.keys()].map(({ row }) => Number(row['number'])),
          );
        }
      }
      const stored = await releaseKept(tx, released);
      const tried = rows.length + released.length - items.size;
      await keepAgain(tx, kept);
      await advanceRetry(tx, {
        retryId,
        place: { repositoryId, stream, id: last.id },
        tried,
        stored,
      });
      return { tried, stored };
    });
  }

  return {
    retryQuarantined: (input) => withHeartbeats(() => retryQuarantined(input)),
    finishQuarantineRetry: ({ organizationId, retryId, error }) =>
      database.transaction(organizationId, (tx) => endRetry(tx, { retryId, error })),
  };
}

/** Items with the id of their row in quarantine, and what stays there. */
function read(
  rows: readonly KeptRow[],
  refused: ReadonlyMap<string, string>,
): { items: Map<Item, string>; kept: { id: string; reason: string }[] } {
  const items = new Map<Item, string>();
  const kept: { id: string; reason: string }[] = [];
  for (const row of rows) {
    const parsed = parseQuarantined(row.stream, row);
    const reason = 'reason' in parsed ? parsed.reason : refused.get(row.id);
    if (reason !== undefined) kept.push({ id: row.id, reason });
    else if ('item' in parsed) items.set(parsed.item, row.id);
  }
  return { items, kept };
}
