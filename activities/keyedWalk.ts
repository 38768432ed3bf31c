import { z } from 'zod';
import type { BitbucketAnswer } from './bitbucket/client.ts';
import { readPage, readRecords, type Page } from './bitbucket/paging.ts';
import { unreadable } from './bitbucket/readJson.ts';
import type { ParsedRecord } from './bitbucket/records.ts';
import { before, canonicalInstant, OVERLAP_MS } from './instants.ts';
import type { NewestStored } from '../db/queries/newest.ts';
import type { Completion, Item, PageRead, Position, ReaderContext, Step } from './streamReader.ts';

/**
 * A list read in the order of its immutable ids, each page asked for by the last id of the one before: what is inserted,
 * changed or removed meanwhile cannot shift it (facts 3.1). A `walk` reads all of it, a `delta` what changed since.
 * What changes behind either is read by the import's closing rounds (`closing.ts`).
 */
const positionSchema = z.object({
  phase: z.enum(['walk', 'delta']),
  /** the highest id read */
  after: z.int(),
  /** the first answer, by Bitbucket's clock */
  began: z.string().nullable(),
  /** delta: asks for what changed since then */
  since: z.string().nullable(),
  /** delta: what changed before this was stored and counted earlier, and only shows that the list is not falsely empty */
  counts: z.string().nullable(),
  /** delta: `since` is no later than the newest stored record, so the list cannot be empty */
  shows: z.boolean(),
  /** records read, each once, for what is expected in all */
  read: z.int(),
  /** the highest id met earlier in this import: what is above is new */
  highest: z.int(),
  expected: z.int().nullable(),
  pages: z.int(),
  /** the end of the list was met */
  ended: z.boolean(),
  /** walk: where it stood before the last page, and how many records that page said are behind it */
  stretch: z
    .object({ after: z.int(), read: z.int(), highest: z.int(), left: z.int() })
    .nullable()
    .default(null),
  /** the last page is asked for again, because the one behind it knew of fewer records: it is believed now */
  again: z.boolean().default(false),
});
export type KeyedPosition = z.infer<typeof positionSchema>;

const start = (position: Partial<KeyedPosition>): KeyedPosition => ({
  phase: 'walk',
  after: 0,
  began: null,
  since: null,
  counts: null,
  shows: false,
  read: 0,
  highest: 0,
  expected: null,
  pages: 0,
  ended: false,
  stretch: null,
  again: false,
  ...position,
});

/** More records than these would cost pages to see them again. */
const MAX_SHOWN_AGAIN = 20;

/**
 * Goes on where a walk is in hand; else the whole list, or what changed since the watermark.
 *
 * A list of changes begins with the newest record that is stored (unless too many share its time): so it is never
 * rightly empty, and a false empty one is known without a second request. A table without rows has no watermark
 * (`completeKeyed`), so its list is read whole again by the next import, for the same one request.
 */
export function beginKeyed(
  { checkpoint, mode, resumes, closing }: ReaderContext,
  newest?: NewestStored,
): KeyedPosition {
  const inHand = positionSchema.safeParse(checkpoint.position);
  if (inHand.success && (resumes || mode === 'changed' || inHand.data.phase === 'walk')) return inHand.data;
  if (mode === 'full' || checkpoint.watermark === null) return start({});
  const counts = before(checkpoint.watermark, OVERLAP_MS);
  // A second earlier: nobody says how finely the host compares.
  const known = newest === undefined ? counts : before(newest.updatedOn, 1_000);
  const reachesBack = known < counts;
  const shows = newest !== undefined && (!reachesBack || newest.asNew <= MAX_SHOWN_AGAIN);
  return start({
    phase: 'delta',
    since: shows && reachesBack ? known : counts,
    counts,
    shows,
    ...(closing === undefined ? {} : closing.list),
  });
}

/** What the list's query is made of. */
export interface KeyedList {
  /** under the API base, with every parameter but `q` and `sort` */
  path: string;
}

const text = (value: string): string => encodeURIComponent(value);

/** The request that a position asks for; ids are immutable, so equal positions ask for equal pages. */
export function keyedPath(list: KeyedList, position: KeyedPosition): string {
  const parts = [
    ...(position.since === null ? [] : [`updated_on>=${position.since}`]),
    `id>${String(position.after)}`,
  ];
  return `${list.path}&q=${text(parts.join(' AND '))}&sort=id`;
}

export const parseKeyed = (position: Position): KeyedPosition => positionSchema.parse(position);

export async function keyedStep(
  list: KeyedList,
  position: KeyedPosition,
  complete: (position: KeyedPosition) => Promise<Completion>,
): Promise<Step> {
  if (!position.ended) return { kind: 'request', place: { path: keyedPath(list, position) }, at: position };
  return { kind: 'end', completion: await complete(position) };
}

/** What is known at the end: `rows` is the table's count. Only a walk of everything can be held against the table. */
export function completeKeyed(position: KeyedPosition, rows: number): Completion {
  const { began, read, highest, expected } = position;
  return {
    watermark: rows === 0 ? null : began,
    rows,
    memory: { empty: rows === 0 && read === 0 },
    whole: expected !== null,
    list: { read, highest, expected },
    progress:
      expected === null
        ? { expected: read, basis: 'counted' }
        : { storedInAll: rows, expected, basis: 'size' },
  };
}

/**
 * The position behind a page, from the ids of its values as they came (a record that is rejected counts too).
 * Throws InvalidResponse for a page that ends the list too early: an answer is never taken for an empty one.
 */
export function behindPage(
  name: string,
  position: KeyedPosition,
  page: Page,
  answer: BitbucketAnswer,
): KeyedPosition {
  const ids = page.values.flatMap((value) => idOf(value) ?? []);
  const after = Math.max(position.after, ...ids);
  const cut = page.next === null ? page.values.length < (page.size ?? 0) : after === position.after;
  // Another page is only asked for where the one before said that there is more.
  if (cut || (page.values.length === 0 && position.after > 0)) {
    throw unreadable(name, 'is cut short: it ends before its own size, or does not go on', answer.status);
  }
  const began = position.began ?? answer.date ?? answer.observedAt;
  const known = page.values.filter((value) => isKnown(value, position)).length;
  const fresh = ids.filter((id) => id > position.highest).length;
  const expected =
    position.phase === 'walk'
      ? page.size === null
        ? null
        : position.read + page.size
      : position.expected === null
        ? null
        : position.expected + fresh;
  return {
    ...position,
    stretch: stretchBehind(position, page),
    again: false,
    after,
    began: canonicalInstant(began),
    read: position.read + page.values.length - known,
    highest: Math.max(position.highest, after),
    expected,
    pages: position.pages + 1,
    ended: page.next === null,
  };
}

function stretchBehind(position: KeyedPosition, page: Page): KeyedPosition['stretch'] {
  if (position.phase !== 'walk' || position.again || page.size === null) return null;
  const { after, read, highest } = position;
  return { after, read, highest, left: page.size - page.values.length };
}

/**
 * Where to read again when a page knows of fewer records than the one before it promised: either list may have left
 * some out (records that are deleted meanwhile look the same, so once is enough). Undefined: all is well.
 */
function shortOf({ stretch, ...position }: KeyedPosition, page: Page): KeyedPosition | undefined {
  if (stretch === null || page.size === null || page.size >= stretch.left) return undefined;
  const { after, read, highest } = stretch;
  return { ...position, after, read, highest, stretch: null, again: true };
}

function idOf(value: unknown): number | undefined {
  if (value === null || typeof value !== 'object' || !('id' in value)) return undefined;
  return Number.isSafeInteger(value.id) ? Number(value.id) : undefined;
}

/** Met before: earlier in this import, or stored by the one before and only shown again. */
function isKnown(value: unknown, { highest, counts }: KeyedPosition): boolean {
  const id = idOf(value);
  if (id !== undefined && id <= highest) return true;
  const changed = changedOn(value);
  return counts !== null && changed !== undefined && changed < counts;
}

function changedOn(value: unknown): string | undefined {
  if (value === null || typeof value !== 'object' || !('updated_on' in value)) return undefined;
  return typeof value.updated_on === 'string' ? canonicalInstant(value.updated_on) : undefined;
}

const memorySchema = z.object({ empty: z.boolean() });

/**
 * Whether an empty first page needs a second witness. Not where an earlier import found the list empty too (it was the
 * witness), nor where nothing need have changed.
 */
export function doubtsEmptyList({ checkpoint }: ReaderContext, position: KeyedPosition): boolean {
  // Behind the first page an empty one is no list at all (`behindPage`).
  if (position.after > 0) return false;
  if (position.phase === 'delta') return position.shows;
  const memory = memorySchema.safeParse(checkpoint.memory);
  return !(memory.success && memory.data.empty);
}

/** Reads one page of a keyed list into items. */
export function readKeyed<T>(
  list: { name: string; schema: z.ZodType<T>; item: (record: ParsedRecord<T>, observedAt: string) => Item },
  position: KeyedPosition,
  answer: BitbucketAnswer,
): PageRead {
  const page = readPage(answer, list.name);
  const short = shortOf(position, page);
  if (short !== undefined) return { items: [], stored: 0, rejected: [], position: short, values: [] };
  const { records, rejected } = readRecords(list.schema, answer, page);
  const next = behindPage(list.name, position, page, answer);
  const items = records.map((record) => list.item(record, answer.observedAt));
  return {
    items,
    stored: items.filter((item) => !isKnown(item.raw, position)).length,
    rejected,
    position: next,
    values: page.values,
    ...(next.expected === null ? {} : { expected: next.expected, basis: 'size' }),
  };
}
