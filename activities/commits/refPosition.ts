import { z } from 'zod';
import { escapeText } from '../../db/text.ts';
import type { BitbucketAnswer } from '../bitbucket/client.ts';
import type { Page } from '../bitbucket/paging.ts';
import { canonicalInstant } from '../streams/instants.ts';
import { lookUpFields, noLookUps } from './missingRefs.ts';

/** Where the reading of branches and tags stands (`refList.ts`), and what its readings of a list say together. */

const LISTS = ['branches', 'tags'] as const;
export const listSchema = z.enum(LISTS);
export type List = z.infer<typeof listSchema>;

export const positionSchema = z.object({
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
  ...lookUpFields,
  /** refs of the lists behind it */
  listed: z.int(),
  empty: z.array(listSchema),
});
export type RefPosition = z.infer<typeof positionSchema>;

/** Begins the list in hand anew. */
export const noReading = { ...noLookUps, next: null, pages: 0, ended: false, read: 0, size: null };
const noList = { ...noReading, restarts: 0, readings: 0, names: [], gone: [], known: 0, since: null };
export const start: RefPosition = { ...noList, list: 'branches', began: null, listed: 0, empty: [] };

/** A busy host may show other names each time; what was missed is shown by the next import. */
export const MAX_READINGS = 3;

export function behindPage(position: RefPosition, page: Page, answer: BitbucketAnswer): RefPosition {
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

/** One page is what the host had at one moment, if it is as long as it says; so are several of one size that is what was read. */
export function isCertain({ pages, size, read, readings, known, names }: RefPosition): boolean {
  const isUnmoved = (pages === 1 && (size ?? 0) <= read) || size === read;
  return isUnmoved || (readings > 1 && names.length === known) || readings >= MAX_READINGS;
}

/** Whether the readings showed as many as the last one says that there are. */
export const isFull = ({ names, size }: RefPosition): boolean => names.length >= (size ?? 0);

export function behindList(position: RefPosition, list: List): RefPosition {
  const { began, listed, names, size, empty } = position;
  return {
    ...noList,
    list: LISTS[LISTS.indexOf(list) + 1] ?? null,
    began,
    listed: listed + Math.max(names.length, size ?? 0),
    empty: names.length === 0 ? [...empty, list] : empty,
  };
}

export function nameOf(value: unknown): string[] {
  if (value === null || typeof value !== 'object' || !('name' in value)) return [];
  return typeof value.name === 'string' ? [escapeText(value.name)] : [];
}
