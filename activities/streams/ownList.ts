import { z } from 'zod';
import type { GapReason } from '../../workflows/words.ts';
import type { BitbucketAnswer } from '../bitbucket/client.ts';
import type { BitbucketError } from '../bitbucket/errors.ts';
import { unreadable } from '../bitbucket/readJson.ts';
import { readPage, type Page } from '../bitbucket/paging.ts';
import { MAX_RESTARTS, refusesNext } from './nextWalk.ts';
import type { PageRead, Place } from './streamReader.ts';

/**
 * Reading the own lists of pull requests or tickets, one parent after the other: how the walk goes on, and what is known
 * for certain when a list is behind it. Shared by the streams that read such lists.
 */
export const ownListFields = {
  /** parents up to this number are settled */
  after: z.int(),
  /** the parent in hand: its list has further pages, or is doubted */
  inHand: z.int().nullable(),
  next: z.string().nullable(),
  /** pages read of the list in hand */
  pages: z.int(),
  /** how often the list in hand began again */
  restarts: z.int(),
  /** records read of the list in hand */
  seen: z.int(),
  /** those of them that are not deleted */
  live: z.int(),
  /** own lists in a row that were refused although their parent is there */
  refusals: z.int(),
  /** parents up to this number were settled before the first of those; null: none was refused, or it is not known */
  refusedFrom: z.int().nullable().default(null),
  /** the list in hand answered 404 or 410: the parent is looked for in the list of all */
  doubted: z.boolean(),
};
const ownListSchema = z.object(ownListFields);
export type OwnList = z.infer<typeof ownListSchema>;

export const startOwnLists = (): OwnList => ({
  after: 0,
  inHand: null,
  next: null,
  pages: 0,
  restarts: 0,
  seen: 0,
  live: 0,
  refusals: 0,
  refusedFrom: null,
  doubted: false,
});

/** What is certain of one parent's list. `live: null`: the list could not be read. */
export interface ListEnd {
  number: number;
  outcome: GapReason;
  live: number | null;
}

/** A host that refuses the lists of parents that are there refuses them all: that is a failure, not many gaps. */
const MAX_REFUSALS = 3;

/** Answers by which a list is not there, or what it belongs to, or the whole repository: they look the same. */
const NOT_SHOWN: ReadonlySet<BitbucketError['type']> = new Set(['NotFound', 'RepositoryGone', 'FeatureGone']);

const oneMore = ({ refusals, refusedFrom, after }: OwnList) => ({
  refusals: refusals + 1,
  refusedFrom: refusals === 0 ? after : refusedFrom,
});
const noneRefused = { refusals: 0, refusedFrom: null };

const untouched = { next: null, pages: 0, restarts: 0, seen: 0, live: 0 };

/** Where the list of `number` goes on; a doubted one is looked for in the list of all. */
export function ownListPlace(at: OwnList, paths: { own: string; all: string; number: number }): Place {
  if (at.doubted) {
    return { path: `${paths.all}?pagelen=10&q=${encodeURIComponent(`id=${String(paths.number)}`)}` };
  }
  return at.next === null ? { path: paths.own } : { next: at.next };
}

/**
 * Behind a page of an own list; `end` when it was the last one. Throws InvalidResponse for a list that ends before its
 * own size.
 */
export function behindOwnPage<At extends OwnList>(
  at: At,
  page: Page,
  name: string,
): { position: At; end?: ListEnd } {
  const seen = at.seen + page.values.length;
  const live = at.live + page.values.filter(isLive).length;
  if (page.next !== null) {
    return { position: { ...at, next: page.next, pages: at.pages + 1, seen, live, ...noneRefused } };
  }
  if (page.size !== null && seen < page.size) {
    throw unreadable(name, 'is cut short: it ends before its own size', { readsOn: true });
  }
  const number = at.inHand ?? at.after;
  const position = { ...at, ...untouched, after: number, inHand: null, ...noneRefused };
  return { position, end: { number, outcome: 'not_listed', live } };
}

const isLive = (value: unknown): boolean =>
  value === null || typeof value !== 'object' || !('deleted' in value) || value.deleted !== true;

/** Behind the look into the list of all: `listed` says whether the parent is there. Throws InvalidResponse. */
function behindDoubt<At extends OwnList>(
  at: At,
  listed: boolean,
  name: string,
): { position: At; end: ListEnd } {
  const refused = listed ? oneMore(at) : noneRefused;
  if (refused.refusals >= MAX_REFUSALS) {
    const times = String(refused.refusals);
    throw unreadable(name, `is "not found" ${times} times in a row for what another list shows`, {
      status: 404,
      readsOn: true,
    });
  }
  const number = at.inHand ?? at.after;
  return {
    position: { ...at, ...untouched, after: number, inHand: null, doubted: false, ...refused },
    end: { number, outcome: listed ? 'not_listed' : 'gone', live: null },
  };
}

/** Reads the answer to a doubt: the parent in the list of all, or an empty list. */
export function readDoubt(at: OwnList, answer: BitbucketAnswer, name: string): PageRead {
  const { values } = readPage(answer, name);
  return { items: [], rejected: [], values, ...behindDoubt(at, values.length > 0, name) };
}

/**
 * Where to go on after an answer that refuses an own list: a refused `next` begins the list again; one that is not found
 * is doubted, since a host in trouble, or a repository that was deleted, answers in the same way; one that is forbidden
 * alone is passed by. `undefined`: the error stands.
 */
export function recoverOwnList<At extends OwnList>(
  at: At,
  type: BitbucketError['type'],
): { position: At; end?: ListEnd } | undefined {
  if (at.doubted) return undefined;
  if (refusesNext(at.next, type)) {
    if (at.restarts >= MAX_RESTARTS) return undefined;
    return { position: { ...at, ...untouched, restarts: at.restarts + 1 } };
  }
  if (NOT_SHOWN.has(type)) return { position: { ...at, ...untouched, doubted: true } };
  const refused = oneMore(at);
  if (type !== 'Forbidden' || refused.refusals >= MAX_REFUSALS) return undefined;
  const number = at.inHand ?? at.after;
  return {
    position: { ...at, ...untouched, after: number, inHand: null, ...refused },
    end: { number, outcome: 'not_permitted', live: null },
  };
}

/**
 * What to remember of an own list where the error stands, for whoever tries again: a refused `next` stays refused, and what
 * was read of a list that contradicts itself may be wrong, so the list begins anew; several refused in a row say that the
 * host is in trouble, so the first of them is no gap either, and all are asked again; and a parent whose list of all was
 * refused with it is not doubted any more, since its own list may be back with that. `undefined`: nothing.
 */
export function forgetRefusal<At extends OwnList>(
  at: At,
  { type, retry }: Pick<BitbucketError, 'type' | 'retry'>,
): At | undefined {
  const contradicts = retry.kind === 'limited' && retry.readsOn === true;
  if (at.doubted ? contradicts : type === 'Forbidden') {
    const after = at.refusedFrom ?? at.after;
    return { ...at, ...untouched, ...noneRefused, after, inHand: null, doubted: false };
  }
  if (contradicts) return { ...at, ...untouched };
  if (at.doubted) return NOT_SHOWN.has(type) ? { ...at, doubted: false } : undefined;
  return refusesNext(at.next, type) ? { ...at, ...untouched } : undefined;
}
