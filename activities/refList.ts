import { z } from 'zod';
import { countQuarantined } from '../db/queries/quarantine.ts';
import { countRefs, removeOtherRefs } from '../db/queries/refs.ts';
import { escapeText } from '../db/text.ts';
import type { BitbucketAnswer } from './bitbucket/client.ts';
import { type Page, readRecords } from './bitbucket/paging.ts';
import { branchSchema, tagSchema } from './bitbucket/schemas.ts';
import { canonicalInstant } from './instants.ts';
import { branchItem, tagItem } from './listedRows.ts';
import { createNextGuard, MAX_RESTARTS, refusesNext } from './nextWalk.ts';
import { storeOf } from './recordStores.ts';
import type { Completion, PageRead, ReaderContext, StreamReader } from './streamReader.ts';

const LISTS = ['branches', 'tags'] as const;
const listSchema = z.enum(LISTS);
type List = z.infer<typeof listSchema>;

const positionSchema = z.object({
  /** null: both are behind it */
  list: listSchema.nullable(),
  next: z.string().nullable(),
  /** pages of the reading in hand */
  pages: z.int(),
  restarts: z.int(),
  /** the reading in hand came to its end */
  ended: z.boolean(),
  /** readings of the list that are behind it */
  readings: z.int(),
  /** every name that any of them showed, as stored */
  names: z.array(z.string()),
  /** how many the readings before the one in hand showed */
  known: z.int(),
  /** entries of the reading in hand */
  read: z.int(),
  /** as all of its pages say; null: they do not, or not the same */
  size: z.int().nullable(),
  /** the first answer of the list, by Postgres' clock: what was stored later is not removed */
  since: z.string().nullable(),
  /** the first answer of all, by Bitbucket's clock */
  began: z.string().nullable(),
  /** refs of the lists behind it */
  listed: z.int(),
  empty: z.array(listSchema),
});
type RefPosition = z.infer<typeof positionSchema>;

const noReading = { next: null, pages: 0, ended: false, read: 0, size: null };
const noList = { ...noReading, restarts: 0, readings: 0, names: [], known: 0, since: null };
const start: RefPosition = { ...noList, list: 'branches', began: null, listed: 0, empty: [] };

const memorySchema = z.object({ empty: z.array(listSchema) });

/** A busy host may show other names each time; what was missed is shown by the next import. */
const MAX_READINGS = 3;

/**
 * Reads branches, then tags, by their lists; each is stored page by page and, at its end, made the whole set. The lists
 * have no key to go on by, so a ref that is removed meanwhile pushes another off the next page: one of several pages is
 * read again until it says the size that was read, or shows no name that is new. A ref goes when no reading showed it.
 */
export function createRefReader(context: ReaderContext): StreamReader {
  const { database, scope, source, checkpoint, resumes } = context;
  const guard = createNextGuard();
  const base = `/repositories/${source.fullName}/refs`;

  async function complete({ began, listed, empty }: RefPosition): Promise<Completion> {
    const { rows, quarantined } = await database.transaction(scope.organizationId, async (tx) => ({
      rows: await countRefs(tx, scope),
      quarantined: await countQuarantined(tx, scope),
    }));
    const lacking = Math.max(0, listed - rows - quarantined);
    return {
      watermark: began,
      rows,
      whole: true,
      memory: { empty },
      tally: { kind: 'counted', stored: rows, gone: 0, notPermitted: 0, lacking, basis: 'snapshot' },
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
      const { list, next, names, since } = position;
      if (list === null) return { kind: 'end', completion: await complete(position) };
      if (!position.ended) {
        const place = next === null ? { path: `${base}/${list}?pagelen=100` } : { next };
        return { kind: 'request', place, at: position };
      }
      if (!isCertain(position)) {
        return { kind: 'move', position: { ...position, ...noReading, known: names.length } };
      }
      const observedAt = since ?? '-infinity';
      return {
        kind: 'move',
        position: behindList(position, list),
        also: (tx) => removeOtherRefs(tx, list, { ...scope, observedAt, names }),
      };
    },
    ahead: (stored) => {
      const { next } = positionSchema.parse(stored);
      return next === null ? undefined : { next };
    },
    read: (stored, answer) => {
      const position = positionSchema.parse(stored);
      const page = guard(`refs/${position.list ?? ''}`, answer, position);
      return { ...recordsOf(position.list, answer, page), position: behindPage(position, page, answer) };
    },
    store: storeOf('refs', scope),
    // The next import reads all of either list anew.
    emptyAnswers: 2,
    // Most repositories have branches, and what was stored would go.
    witness: (stored, place) => {
      const { list, pages } = positionSchema.parse(stored);
      const memory = memorySchema.safeParse(checkpoint.memory);
      const wasEmpty = list !== null && memory.success && memory.data.empty.includes(list);
      return pages > 0 || wasEmpty ? undefined : place;
    },
    recover: (stored, { type }) => {
      const position = positionSchema.parse(stored);
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

function behindPage(position: RefPosition, page: Page, answer: BitbucketAnswer): RefPosition {
  const size = position.pages === 0 || position.size === page.size ? page.size : null;
  const ended = page.next === null;
  return {
    ...position,
    next: page.next,
    pages: position.pages + 1,
    ended,
    readings: position.readings + (ended ? 1 : 0),
    names: [...new Set([...position.names, ...page.values.flatMap(nameOf)])],
    read: position.read + page.values.length,
    size,
    since: position.since ?? answer.observedAt,
    began: position.began ?? canonicalInstant(answer.date ?? answer.observedAt),
  };
}

/** One page is what the host had at one moment; so are several of one size that is what was read. */
function isCertain({ pages, size, read, readings, known, names }: RefPosition): boolean {
  const isUnmoved = pages === 1 || size === read;
  return isUnmoved || (readings > 1 && names.length === known) || readings >= MAX_READINGS;
}

function behindList(position: RefPosition, list: List): RefPosition {
  const { began, listed, names, empty } = position;
  return {
    ...noList,
    list: LISTS[LISTS.indexOf(list) + 1] ?? null,
    began,
    listed: listed + names.length,
    empty: names.length === 0 ? [...empty, list] : empty,
  };
}

function nameOf(value: unknown): string[] {
  if (value === null || typeof value !== 'object' || !('name' in value)) return [];
  return typeof value.name === 'string' ? [escapeText(value.name)] : [];
}
