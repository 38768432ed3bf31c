import { z } from 'zod';
import { lateVotesSchema, type LateVotes } from './lateVotes.ts';
import { MAX_RESTARTS } from './nextWalk.ts';
import { ownListFields, recoverOwnList, startOwnLists } from './ownList.ts';
import type { Recovery } from './streamReader.ts';
import type { BitbucketError } from './bitbucket/errors.ts';

const feedSchema = z.object({
  phase: z.literal('feed'),
  next: z.string().nullable(),
  pages: z.int(),
  restarts: z.int(),
  /** the first answer, by Bitbucket's clock */
  began: z.string().nullable(),
  /** entries before this are stored already; null: reads all there is */
  until: z.string().nullable(),
  /** key of the last entry read */
  last: z.string().nullable(),
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
  read: z.int(),
  skipped: z.int(),
});
export const positionSchema = z.discriminatedUnion('phase', [feedSchema, lateVotesSchema, repairSchema]);
export type Feed = z.infer<typeof feedSchema>;
export type Repair = z.infer<typeof repairSchema>;

/** A walk of the feed from its top. */
export const feedFrom = (from: Partial<Feed>): Feed => ({
  phase: 'feed',
  next: null,
  pages: 0,
  restarts: 0,
  began: null,
  until: null,
  last: null,
  ended: false,
  read: 0,
  skipped: 0,
  ...from,
});

/** The look at late votes, behind the feed. */
export const votesFrom = ({ began, read, skipped }: Feed): LateVotes => ({
  phase: 'votes',
  after: 0,
  asked: 0,
  began,
  read,
  skipped,
});

/** The comparison per pull request. */
export const repairFrom = (feed: Pick<Feed, 'began' | 'read' | 'skipped'>, all: boolean): Repair => ({
  phase: 'repair',
  ...startOwnLists(),
  all,
  began: feed.began,
  read: feed.read,
  skipped: feed.skipped,
});

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
