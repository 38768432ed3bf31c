import { z } from 'zod';
import type { BitbucketAnswer } from './bitbucket/client.ts';
import { readPage, readRecords, type Page } from './bitbucket/paging.ts';
import { unreadable } from './bitbucket/readJson.ts';
import type { ParsedRecord } from './bitbucket/records.ts';
import { before, canonicalInstant, OVERLAP_MS } from './instants.ts';
import type { Completion, Item, PageRead, Position, ReaderContext, Step } from './streamReader.ts';

/**
 * A list read in the order of its immutable ids, each page asked for by the last id of the one before: what is inserted,
 * changed or removed meanwhile cannot shift it (facts 3.1). What changed behind the walk is read by closing passes over
 * `updated_on`, each from where the one before began, until one of them meets nothing new.
 */
const positionSchema = z.object({
  phase: z.enum(['walk', 'delta']),
  /** the highest id read in this pass */
  after: z.int(),
  /** the pass's first answer, by Bitbucket's clock */
  began: z.string().nullable(),
  /** delta: reads what changed since then */
  since: z.string().nullable(),
  /** delta: a record that changed after this asks for another pass */
  newSince: z.string().nullable(),
  /** delta: such a record was met */
  changed: z.boolean(),
  /** records read, each once, for what is expected in all */
  read: z.int(),
  /** the highest id that the walk (or an earlier pass) met: what is above is new */
  highest: z.int(),
  expected: z.int().nullable(),
  /** records that the list had when it was counted, and has no more */
  gone: z.int().default(0),
  /** the list was read from its start: the whole table can be held against it */
  whole: z.boolean().default(false),
  pages: z.int(),
  pass: z.int(),
  /** the pass met the end of the list */
  ended: z.boolean(),
});
export type KeyedPosition = z.infer<typeof positionSchema>;

/** A host that never rests would keep the import from ending; the next one reads from this one's watermark. */
const MAX_PASSES = 5;

const start = (position: Partial<KeyedPosition>): KeyedPosition => ({
  phase: 'walk',
  after: 0,
  began: null,
  since: null,
  newSince: null,
  changed: false,
  read: 0,
  highest: 0,
  expected: null,
  gone: 0,
  whole: false,
  pages: 0,
  pass: 0,
  ended: false,
  ...position,
});

/** Goes on where a walk is in hand; else the whole list, or what changed since the watermark. */
export function beginKeyed({ checkpoint, mode, resumes, closing }: ReaderContext): KeyedPosition {
  const inHand = positionSchema.safeParse(checkpoint.position);
  if (inHand.success && (resumes || mode === 'changed' || inHand.data.phase === 'walk')) return inHand.data;
  if (mode === 'full' || checkpoint.watermark === null) return start({ whole: true });
  if (closing !== undefined) {
    // One pass more behind those that the stream closed with.
    return start({
      phase: 'delta',
      since: before(checkpoint.watermark, OVERLAP_MS),
      newSince: canonicalInstant(checkpoint.watermark),
      pass: 1,
      whole: closing.whole,
      ...closing.list,
    });
  }
  return start({
    phase: 'delta',
    since: before(checkpoint.watermark, OVERLAP_MS),
    newSince: before(checkpoint.watermark, OVERLAP_MS),
    pass: 1,
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
  const next = nextPass(position);
  return next === undefined
    ? { kind: 'end', completion: await complete(position) }
    : { kind: 'move', position: next };
}

/** What is known at the end: `rows` is the table's count. Only a walk of everything can be held against the table. */
export function completeKeyed(position: KeyedPosition, rows: number): Completion {
  const { began, read, highest, expected, gone, whole } = position;
  return {
    watermark: began,
    rows,
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

/** The closing pass that must follow a pass that ended; undefined: everything up to `began` is stored. */
export function nextPass(position: KeyedPosition): KeyedPosition | undefined {
  const { phase, pages, pass, changed, began } = position;
  // One answer shows one moment: nothing can have changed behind it.
  const quiet = pages <= 1 || (phase === 'delta' && !changed);
  if (quiet || began === null || pass >= MAX_PASSES) return undefined;
  return start({
    phase: 'delta',
    since: before(began, OVERLAP_MS),
    newSince: began,
    read: position.read,
    highest: position.highest,
    expected: position.expected,
    gone: position.gone,
    whole: position.whole,
    pass: pass + 1,
  });
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
  const newSince = position.newSince;
  const changed =
    newSince !== null && page.values.some((value) => (changedOn(value) ?? '') >= canonicalInstant(newSince));
  const fresh = ids.filter((id) => id > position.highest).length;
  return {
    ...position,
    after,
    began: canonicalInstant(began),
    changed: position.changed || changed,
    read: position.read + countable(page) - (ids.length - fresh),
    highest: Math.max(position.highest, after),
    ...announced(position, page, fresh),
    pages: position.pages + 1,
    ended: page.next === null,
  };
}

/** Records behind the last readable id come again with the next page, which is asked for by that id. */
function countable(page: Page): number {
  if (page.next === null) return page.values.length;
  return page.values.findLastIndex((value) => idOf(value) !== undefined) + 1;
}

/**
 * How many records there are, and how many of them went since they were counted. The first pass is told by each page how
 * many are still to come; a later pass adds what is new.
 */
function announced(
  position: KeyedPosition,
  { size }: Page,
  fresh: number,
): Pick<KeyedPosition, 'expected' | 'gone'> {
  const { expected, gone, read, phase, pass } = position;
  const first = phase === 'walk' || (pass === 1 && !position.whole);
  if (!first) return { expected: expected === null ? null : expected + fresh, gone };
  if (size === null) return { expected: null, gone };
  const now = read + size;
  const gonePlus = expected === null ? 0 : Math.max(0, expected - gone - now);
  return { expected: now + gone + gonePlus, gone: gone + gonePlus };
}

function idOf(value: unknown): number | undefined {
  if (value === null || typeof value !== 'object' || !('id' in value)) return undefined;
  return Number.isSafeInteger(value.id) ? Number(value.id) : undefined;
}

function changedOn(value: unknown): string | undefined {
  if (value === null || typeof value !== 'object' || !('updated_on' in value)) return undefined;
  return typeof value.updated_on === 'string' ? canonicalInstant(value.updated_on) : undefined;
}

/** Reads one page of a keyed list into items. */
export function readKeyed<T>(
  list: { name: string; schema: z.ZodType<T>; item: (record: ParsedRecord<T>, observedAt: string) => Item },
  position: KeyedPosition,
  answer: BitbucketAnswer,
): PageRead {
  const page = readPage(answer, list.name);
  const { records, rejected } = readRecords(list.schema, answer, page);
  const next = behindPage(list.name, position, page, answer);
  const items = records.map((record) => list.item(record, answer.observedAt));
  return {
    items,
    // What an earlier pass met is counted already.
    stored: items.filter((item) => Number(item.key) > position.highest).length,
    rejected,
    position: next,
    values: page.values,
    ...(next.expected === null ? {} : { expected: next.expected, basis: 'size' }),
  };
}
