import { z } from 'zod';
import { countQuarantined } from '../../db/queries/quarantine.ts';
import { countRefs, missingRefs, settleListedRefs } from '../../db/queries/refs.ts';
import type { BitbucketAnswer } from '../bitbucket/client.ts';
import { asList, type Page, readRecords } from '../bitbucket/paging.ts';
import { unreadable } from '../bitbucket/readJson.ts';
import { branchSchema, tagSchema } from '../bitbucket/schemas.ts';
import { branchItem, tagItem } from './listedRows.ts';
import { behindRefusedLookUp, MAX_LOOK_UPS, refPath } from './missingRefs.ts';
import { createNextGuard, MAX_RESTARTS, refusesNext } from '../streams/nextWalk.ts';
import { noteOnUnlisted } from '../streams/notes.ts';
import {
  behindList,
  behindPage,
  isCertain,
  isFull,
  type List,
  listSchema,
  MAX_READINGS,
  nameOf,
  noReading,
  positionSchema,
  type RefPosition,
  start,
} from './refPosition.ts';
import { storeOf } from '../streams/recordStores.ts';
import type { Completion, PageRead, ReaderContext, Step, StreamReader } from '../streams/streamReader.ts';

const memorySchema = z.object({ empty: z.array(listSchema) });

/**
 * Reads branches, then tags, by their lists; each is stored page by page. The lists have no key to go on by, so a ref that
 * is removed meanwhile pushes another off the next page: one of several pages, and one that is short of its own size, is
 * read again until it says the size that was read, or shows no name that is new.
 *
 * A stored ref that no reading showed is looked up by its name, up to ten behind a reading. Where one is there, the list is
 * false and read again. One that is not found goes; the others, and all of them where the list is empty, go when a list that
 * begins `goneAfterMs` later lacks them too (docs/decisions/commits-without-a-clone.md).
 */
export function createRefReader(context: ReaderContext): StreamReader {
  const { database, scope, source, checkpoint, resumes, goneAfterMs } = context;
  const guard = createNextGuard();
  const base = `/repositories/${source.fullName}/refs`;

  const memory = memorySchema.safeParse(checkpoint.memory);
  const wasEmpty = (list: List | null): boolean =>
    list !== null && memory.success && memory.data.empty.includes(list);

  async function complete({ began, listed, empty }: RefPosition): Promise<Completion> {
    const { rows, unlisted, quarantined } = await database.transaction(scope.organizationId, async (tx) => ({
      ...(await countRefs(tx, scope)),
      quarantined: await countQuarantined(tx, scope),
    }));
    const lacking = Math.max(0, listed - (rows - unlisted) - quarantined);
    return {
      watermark: began,
      rows,
      whole: true,
      memory: { empty },
      tally: { kind: 'counted', stored: rows, gone: 0, notPermitted: 0, lacking, basis: 'snapshot' },
      notes: noteOnUnlisted(unlisted),
    };
  }

  /** Behind a reading that is certain: looks up what it lacks, reads a false list again, and settles the list. */
  async function judge(position: RefPosition, list: List): Promise<Step> {
    const { names, gone, contradicted, readings } = position;
    const observedAt = position.since ?? '-infinity';
    const judged = { ...scope, observedAt, names, gone };
    const asking =
      position.asking ??
      (await database.transaction(scope.organizationId, (tx) => missingRefs(tx, list, judged, MAX_LOOK_UPS)));
    const [name] = asking;
    if (name !== undefined) {
      const place = { path: `${base}/${list}/${refPath(name)}` };
      return { kind: 'request', place, at: { ...position, asking } };
    }
    if (contradicted && readings < MAX_READINGS) {
      return { kind: 'move', position: { ...position, ...noReading, known: names.length } };
    }
    const isBelieved = isFull(position) && !contradicted;
    const found = { ...judged, gone: names.length === 0 ? [] : gone };
    return {
      kind: 'move',
      position: behindList(position, list),
      also: (tx) => settleListedRefs(tx, list, { ...found, apartMs: isBelieved ? goneAfterMs : null }),
    };
  }

  /** A ref that the list lacks is there after all. */
  function readLookUp(position: RefPosition, name: string, answer: BitbucketAnswer): PageRead {
    const { json, status } = answer;
    if (nameOf(json)[0] !== name) throw unreadable('a single ref', 'is not the one asked for', { status });
    const single = { values: [json], next: null, size: 1 };
    const names = [...position.names, name];
    // Whoever looks on asks only for what no other reading shows.
    return {
      ...recordsOf(position.list, asList(answer), single),
      position: { ...position, names, asking: [], contradicted: true },
    };
  }

  return {
    stream: 'refs',
    begin: () => {
      const inHand = positionSchema.safeParse(checkpoint.position);
      // Refs move: a reading of an earlier import is worth nothing now.
      return inHand.success && resumes ? inHand.data : start;
    },
    async step(stored) {
      const position = positionSchema.parse(stored);
      const { list, next, names } = position;
      if (list === null) return { kind: 'end', completion: await complete(position) };
      if (!position.ended) {
        const place = next === null ? { path: `${base}/${list}?pagelen=100` } : { next };
        return { kind: 'request', place, at: position };
      }
      if (!isCertain(position)) {
        return { kind: 'move', position: { ...position, ...noReading, known: names.length } };
      }
      return judge(position, list);
    },
    ahead: (stored) => {
      const { next } = positionSchema.parse(stored);
      return next === null ? undefined : { next };
    },
    read: (stored, answer) => {
      const position = positionSchema.parse(stored);
      const [name] = position.asking ?? [];
      if (name !== undefined) return readLookUp(position, name, answer);
      const page = guard(`refs/${position.list ?? ''}`, answer, position);
      return { ...recordsOf(position.list, answer, page), position: behindPage(position, page, answer) };
    },
    store: storeOf('refs', scope),
    // The next import reads all of either list anew.
    emptyAnswers: 2,
    // Most repositories have branches, and a false one would hide them.
    witness: (stored, place) => {
      const { list, pages } = positionSchema.parse(stored);
      return pages > 0 || wasEmpty(list) ? undefined : place;
    },
    // Tags are read behind branches, which name the repository where there are any.
    mayBeOfAnother: async (stored) => {
      const { list, pages, listed } = positionSchema.parse(stored);
      if (list === null || pages > 0 || listed > 0 || wasEmpty(list)) return false;
      const { rows } = await database.transaction(scope.organizationId, (tx) => countRefs(tx, scope));
      return rows > 0;
    },
    recover: (stored, { type }) => {
      const position = positionSchema.parse(stored);
      const behind = behindRefusedLookUp(position, type);
      if (behind !== undefined) return { position: behind };
      if (!refusesNext(position.next, type) || position.restarts >= MAX_RESTARTS) return undefined;
      return { position: { ...position, ...noReading, restarts: position.restarts + 1 } };
    },
    // Whoever tries again begins the list anew: a refused `next` stays refused.
    remember: async (stored, { type }) => {
      const position = positionSchema.parse(stored);
      return refusesNext(position.next, type) ? { ...position, ...noReading, restarts: 0 } : undefined;
    },
  };
}

function recordsOf(
  list: List | null,
  answer: BitbucketAnswer,
  page: Page,
): Pick<PageRead, 'items' | 'rejected' | 'values'> {
  const { values } = page;
  const { observedAt } = answer;
  if (list === 'tags') {
    const { records, rejected } = readRecords(tagSchema, answer, page);
    return { items: records.map((record) => tagItem(record, observedAt)), rejected, values };
  }
  const { records, rejected } = readRecords(branchSchema, answer, page);
  return { items: records.map((record) => branchItem(record, observedAt)), rejected, values };
}
