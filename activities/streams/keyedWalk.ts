import { z } from 'zod';
import type { BitbucketAnswer } from '../bitbucket/client.ts';
import { readPage, readRecords, type Page } from '../bitbucket/paging.ts';
import { unreadable } from '../bitbucket/readJson.ts';
import type { ParsedRecord } from '../bitbucket/records.ts';
import { before, canonicalInstant, OVERLAP_MS } from './instants.ts';
import { type KeyedPosition, safeParseKeyed, startKeyed } from './keyedPosition.ts';
import type { NewestStored } from '../../db/queries/newest.ts';
import type { Completion, Item, PageRead, ReaderContext, Step } from './streamReader.ts';

/** Of another import's list of changes that goes on: what that one counted is not counted here. */
const UNCOUNTED = {
  read: 0,
  known: 0,
  expected: null,
  gone: 0,
  closes: false,
  whole: false,
  stretch: null,
  showed: null,
};

/** A page is asked for again so often, and then believed, as an empty one is. */
const MAX_AGAIN = 2;

/** More records than these would cost pages to see them again. */
const MAX_SHOWN_AGAIN = 20;

/**
 * Goes on where a walk is in hand; else the whole list, or what changed since the watermark.
 *
 * A list of changes begins with the newest record that is stored, or has one of the newest where many share its time: so it
 * is never rightly empty, and a false empty one is known without a second request. A table without rows has no watermark
 * (`completeKeyed`), so its list is read whole again by the next import, for the same one request.
 */
export function beginKeyed(
  { checkpoint, mode, resumes, closing }: ReaderContext,
  newest?: NewestStored,
): KeyedPosition {
  const inHand = safeParseKeyed(checkpoint.position);
  if (inHand.success && (resumes || inHand.data.phase === 'walk')) return inHand.data;
  if (inHand.success && mode === 'changed') return { ...inHand.data, ...UNCOUNTED };
  if (mode === 'full' || checkpoint.watermark === null) return startKeyed({ whole: true });
  const counts = before(checkpoint.watermark, OVERLAP_MS);
  // A second earlier: nobody says how finely the host compares.
  const known = newest === undefined ? counts : before(newest.updatedOn, 1_000);
  const reachesBack = known < counts;
  const areMany = newest !== undefined && newest.asNew > MAX_SHOWN_AGAIN;
  return startKeyed({
    phase: 'delta',
    since: reachesBack && !areMany ? known : counts,
    counts,
    shows: newest !== undefined,
    shown: reachesBack && areMany ? newest.number : null,
    ...(closing === undefined ? {} : { closes: true, whole: closing.whole, ...closing.list }),
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
    ...(position.since === null ? [] : [changedSince(position.since, position.shown)]),
    `id>${String(position.after)}`,
  ];
  return `${list.path}&q=${text(parts.join(' AND '))}&sort=id`;
}

const changedSince = (since: string, shown: number | null): string =>
  shown === null ? `updated_on>=${since}` : `(updated_on>=${since} OR id=${String(shown)})`;

/** A query for these records. `IN` is documented for texts alone (facts 3.3). */
export const anyOfIds = (ids: readonly number[]): string => ids.map((id) => `id=${String(id)}`).join(' OR ');

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
  const { began, read, highest, expected, gone, whole } = position;
  return {
    watermark: rows === 0 ? null : began,
    rows,
    memory: { empty: rows === 0 && read === 0 },
    whole,
    list: { read, highest, expected, gone },
    tally: {
      kind: 'announced',
      expected: expected ?? read,
      gone,
      basis: expected === null ? 'counted' : whole ? 'size' : 'size_of_changes',
    },
    notes:
      gone === 0
        ? {}
        : { list_grew_shorter: { message: 'Records left the list while it was read.', count: gone } },
  };
}

/**
 * The position behind a page, from the ids of its values as they came (a record that is `rejected` counts too).
 * Throws InvalidResponse for a page that ends the list too early: an answer is never taken for an empty one.
 */
export function behindPage(
  name: string,
  position: KeyedPosition,
  page: Page,
  answer: BitbucketAnswer,
  rejected: ReadonlySet<unknown> = new Set(),
): KeyedPosition {
  const ids = page.values.flatMap((value) => idOf(value) ?? []);
  const after = Math.max(position.after, ...ids);
  const cut = page.next === null ? page.values.length < (page.size ?? 0) : after === position.after;
  // Another page is only asked for where the one before gave a `next`: if by its size nothing was left, that `next` erred.
  const mustHave = position.after > 0 && position.stretch?.left !== 0;
  if (cut || (page.values.length === 0 && mustHave)) {
    throw unreadable(name, 'is cut short: it ends before its own size, or does not go on', {
      status: answer.status,
    });
  }
  const began = position.began ?? answer.date ?? answer.observedAt;
  const counted = countable(page);
  const shown = counted.filter((value) => isKnown(value, position, rejected)).length;
  const fresh = ids.filter((id) => id > position.highest).length;
  return {
    ...position,
    stretch: stretchBehind(position, page),
    again: 0,
    showed: null,
    after,
    began: canonicalInstant(began),
    read: position.read + counted.length - shown,
    highest: Math.max(position.highest, after),
    ...announced(position, page, { shown, fresh }),
    pages: position.pages + 1,
    ended: page.next === null,
  };
}

function stretchBehind(position: KeyedPosition, page: Page): KeyedPosition['stretch'] {
  if (position.again >= MAX_AGAIN || page.size === null) return null;
  const { after, read, highest, known, expected, again } = position;
  return { after, read, highest, known, expected, again, left: page.size - countable(page).length };
}

/**
 * Where to read again when a page knows of fewer records than the one before it promised: either list may have left
 * some out. Records that are deleted meanwhile look the same, but not to whoever asks again. Undefined: all is well.
 */
function shortOf({ stretch, ...position }: KeyedPosition, page: Page): KeyedPosition | undefined {
  if (stretch === null || page.size === null || page.size >= stretch.left) return undefined;
  const { left, expected, again: asked, ...back } = stretch;
  const records = position.read + position.known - back.read - back.known;
  const showed = { after: position.after, records, size: left + records, denied: 0 };
  // A closing round adds up what is new; elsewhere what was announced stays, and what is missing of it is gone.
  const from = { ...position, ...back, stretch: null, again: asked + 1, showed };
  return position.closes ? { ...from, expected } : from;
}

/**
 * Where to ask the same once more when a page that was asked for again shows less than the time before, and does not say
 * that the list has grown shorter by as much: it has left some out, and the answer that sent back here may have been the
 * one that was wrong. Undefined: nothing speaks against it.
 */
function lessOf(position: KeyedPosition, page: Page): KeyedPosition | undefined {
  const { showed } = position;
  if (showed === null || page.size === null || showed.denied >= MAX_AGAIN) return undefined;
  const records = page.values.findLastIndex((value) => (idOf(value) ?? Infinity) <= showed.after) + 1;
  const missing = showed.records - records;
  if (missing <= Math.max(0, showed.size - page.size)) return undefined;
  return { ...position, showed: { ...showed, denied: showed.denied + 1 } };
}

/** Records behind the last readable id come again with the next page, which is asked for by that id. */
function countable(page: Page): unknown[] {
  if (page.next === null) return page.values;
  return page.values.slice(0, page.values.findLastIndex((value) => idOf(value) !== undefined) + 1);
}

/**
 * How many records there are, and how many of them went since they were counted: each page tells how many are still to
 * come (`size`), those that are shown again (`shown` on this page) too. A closing round adds what is new.
 */
function announced(
  position: KeyedPosition,
  { size }: Page,
  { shown, fresh }: { shown: number; fresh: number },
): Pick<KeyedPosition, 'expected' | 'gone' | 'known'> {
  const { expected, gone, read, closes } = position;
  const known = position.known + shown;
  if (closes) return { expected: expected === null ? null : expected + fresh, gone, known };
  if (size === null) return { expected: null, gone, known };
  const now = read + position.known + size;
  const went = expected === null ? 0 : Math.max(0, expected + position.known - gone - now);
  return { expected: now + gone + went - known, gone: gone + went, known };
}

function idOf(value: unknown): number | undefined {
  if (value === null || typeof value !== 'object' || !('id' in value)) return undefined;
  return Number.isSafeInteger(value.id) ? Number(value.id) : undefined;
}

/**
 * Met before: earlier in this import, or stored by the one before and only shown again. One that is `rejected` is not
 * stored, so it counts however old it is.
 */
function isKnown(
  value: unknown,
  { highest, counts }: KeyedPosition,
  rejected: ReadonlySet<unknown> = new Set(),
): boolean {
  const id = idOf(value);
  if (id !== undefined && id <= highest) return true;
  if (rejected.has(value)) return false;
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

/**
 * Whether an empty first page is to be believed of the repository itself alone. A list of everything shows what is stored;
 * one of changes shows some of it, or names no repository although others are read behind it. `countRows`: of the table.
 */
export async function mayListAnother(
  position: KeyedPosition,
  countRows: () => Promise<number>,
): Promise<boolean> {
  return position.after === 0 && (await countRows()) > 0;
}

/** Reads one page of a keyed list into items. */
export function readKeyed<T>(
  list: { name: string; schema: z.ZodType<T>; item: (record: ParsedRecord<T>, observedAt: string) => Item },
  position: KeyedPosition,
  answer: BitbucketAnswer,
): PageRead {
  const page = readPage(answer, list.name);
  const again = shortOf(position, page) ?? lessOf(position, page);
  if (again !== undefined) {
    return { items: [], stored: 0, rejected: [], position: again, values: page.values };
  }
  const { records, rejected } = readRecords(list.schema, answer, page);
  const unread = new Set(rejected.map(({ index }) => page.values[index]));
  const next = behindPage(list.name, position, page, answer, unread);
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
