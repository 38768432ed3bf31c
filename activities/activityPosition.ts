import { z } from 'zod';
import { lateVotesSchema, type LateVotes } from './lateVotes.ts';
import { MAX_RESTARTS } from './nextWalk.ts';
import type { Position } from './streamReader.ts';

const common = {
  next: z.string().nullable(),
  /** pages read of the list in hand */
  pages: z.int(),
  restarts: z.int(),
};
const feedSchema = z.object({
  phase: z.literal('feed'),
  ...common,
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
  ...common,
  /** pull requests up to this number are settled */
  after: z.int(),
  /** the pull request in hand, when its list has further pages */
  pullRequest: z.int().nullable(),
  /** every pull request, because the feed cannot be had */
  all: z.boolean(),
  began: z.string().nullable(),
  read: z.int(),
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
export const votesFrom = ({ began, read }: Feed): LateVotes => ({
  phase: 'votes',
  after: 0,
  asked: 0,
  began,
  read,
});

/** The comparison per pull request. */
export const repairFrom = (feed: Pick<Feed, 'began' | 'read'>, all: boolean): Repair => ({
  phase: 'repair',
  next: null,
  pages: 0,
  restarts: 0,
  after: 0,
  pullRequest: null,
  all,
  began: feed.began,
  read: feed.read,
});

/** Behind a page of a pull request's own activity. */
export function behindOwnPage(position: Repair, next: string | null, read: number): Repair {
  const more = next !== null;
  return {
    ...position,
    next,
    pages: more ? position.pages + 1 : 0,
    after: more ? position.after : (position.pullRequest ?? position.after),
    pullRequest: more ? position.pullRequest : null,
    read: position.read + read,
  };
}

/**
 * A refused `next` starts its list again (its rows stay); a pull request that is not shown any more is passed by; where
 * the feed itself is gone, every pull request is asked by itself.
 */
export function recoverFrom(position: Feed | LateVotes | Repair, type: string): Position | undefined {
  if (position.phase === 'votes') return undefined;
  const refused = type === 'BadRequest' || type === 'NotFound' || type === 'RepositoryGone';
  if (refused && position.next !== null) {
    if (position.restarts >= MAX_RESTARTS) return undefined;
    return { ...position, next: null, pages: 0, restarts: position.restarts + 1 };
  }
  if (position.phase === 'feed') {
    return type === 'FeatureGone' ? repairFrom(position, true) : undefined;
  }
  if (type !== 'NotFound' && type !== 'FeatureGone') return undefined;
  return {
    ...position,
    after: position.pullRequest ?? position.after,
    pullRequest: null,
    next: null,
    pages: 0,
  };
}
