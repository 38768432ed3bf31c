import { z } from 'zod';
import { lateVotesSchema, type LateVotes } from './lateVotes.ts';
import { before, OVERLAP_MS } from './instants.ts';
import { MAX_RESTARTS } from './nextWalk.ts';
import { ownListFields, recoverOwnList, startOwnLists } from './ownList.ts';
import type { Recovery } from './streamReader.ts';
import type { BitbucketError } from './bitbucket/errors.ts';

const feedSchema = z.object({
  phase: z.literal('feed'),
  next: z.string().nullable(),
  pages: z.int(),
  restarts: z.int(),
  /** the walk's first answer, by Bitbucket's clock */
  began: z.string().nullable(),
  /** the first walk's */
  started: z.string().nullable(),
  /** entries before this are stored already; null: reads all there is */
  until: z.string().nullable(),
  /** an entry after this was not there when the pass before began */
  newSince: z.string().nullable(),
  changed: z.boolean(),
  /** key of the last entry read */
  last: z.string().nullable(),
  pass: z.int(),
  ended: z.boolean(),
  read: z.int(),
  skipped: z.int(),
});
const repairSchema = z.object({
  phase: z.literal('repair'),
  ...ownListFields,
  /** every pull request, because the feed cannot be had */
  all: z.boolean(),
  began: z.string().nullable(),
  started: z.string().nullable(),
  read: z.int(),
  skipped: z.int(),
});
export const positionSchema = z.discriminatedUnion('phase', [feedSchema, lateVotesSchema, repairSchema]);
export type Feed = z.infer<typeof feedSchema>;
export type Repair = z.infer<typeof repairSchema>;

const MAX_PASSES = 5;

/** A walk of the feed from its top. */
export const feedFrom = (from: Partial<Feed>): Feed => ({
  phase: 'feed',
  next: null,
  pages: 0,
  restarts: 0,
  began: null,
  started: null,
  until: null,
  newSince: null,
  changed: false,
  last: null,
  pass: 0,
  ended: false,
  read: 0,
  skipped: 0,
  ...from,
});

const votesFrom = ({ began, started, read, skipped }: Feed): LateVotes => ({
  phase: 'votes',
  after: 0,
  asked: 0,
  began,
  started,
  read,
  skipped,
});

/** The comparison per pull request. */
export const repairFrom = (
  feed: Pick<Feed, 'began' | 'started' | 'read' | 'skipped'>,
  all: boolean,
): Repair => ({
  phase: 'repair',
  ...startOwnLists(),
  all,
  began: feed.began,
  started: feed.started,
  read: feed.read,
  skipped: feed.skipped,
});

/** The closing pass, or the comparison. One answer shows one moment, so a feed of one page needs no second look. */
export function afterFeed(position: Feed): Feed | LateVotes {
  const { began, pages, pass, changed } = position;
  const quiet = pages <= 1 || (pass > 0 && !changed);
  if (quiet || began === null || pass >= MAX_PASSES) return votesFrom(position);
  return feedFrom({
    until: before(began, OVERLAP_MS),
    newSince: began,
    started: position.started,
    pass: pass + 1,
    read: position.read,
    skipped: position.skipped,
  });
}

/** A refused `next` starts the feed again (its rows stay); where the feed is gone, every pull request is asked by itself. */
export function recoverFrom(
  position: Feed | LateVotes | Repair,
  type: BitbucketError['type'],
): Recovery | undefined {
  if (position.phase === 'votes') return undefined;
  if (position.phase === 'repair') return recoverOwnList(position, type);
  const refused = type === 'BadRequest' || type === 'NotFound' || type === 'RepositoryGone';
  if (refused && position.next !== null) {
    if (position.restarts >= MAX_RESTARTS) return undefined;
    return { position: { ...position, next: null, pages: 0, restarts: position.restarts + 1 } };
  }
  return type === 'FeatureGone' ? { position: repairFrom(position, true) } : undefined;
}
