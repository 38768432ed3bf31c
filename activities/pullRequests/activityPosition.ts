import { z } from 'zod';
import { aheadOneByOne } from '../../forecast/ahead.ts';
import { ENTRIES_A_PAGE } from './activityMethod.ts';
import { aheadSchema } from '../streams/aheadSchema.ts';
import type { BitbucketErrorType } from '../bitbucket/errors.ts';
import { lateVotesSchema, type LateVotes } from './lateVotes.ts';
import { MAX_RESTARTS, refusesNext } from '../streams/nextWalk.ts';
import { ownListFields, recoverOwnList, startOwnLists } from '../streams/ownList.ts';
import type { Recovery } from '../streams/streamReader.ts';

const walk = {
  /** the first answer, by Bitbucket's clock */
  began: z.string().nullable(),
  /** entries read */
  read: z.int(),
  /** entries of no known kind: they say nothing */
  skipped: z.int(),
};

/** Which pull requests: those created until, and changed since; null is no bound. */
export const rangeSchema = z.object({
  createdUntil: z.string().nullable(),
  changedSince: z.string().nullable(),
});
export type PullRequestRange = z.infer<typeof rangeSchema>;

/** Why pull requests are asked for their own activity. */
const WHYS = ['feed_unavailable', 'feed_fails', 'feed_refused', 'feed_ended_early'] as const;
export type WhyOwn = (typeof WHYS)[number];

const feedSchema = z.object({
  phase: z.literal('feed'),
  next: z.string().nullable(),
  pages: z.int(),
  restarts: z.int(),
  ...walk,
  /** entries before this are stored already; null: reads all there is */
  until: z.string().nullable(),
  /** the oldest entry seen */
  oldest: z.string().nullable(),
  /** entries that were read before Bitbucket refused to go on, and that the feed shows again */
  passed: z.int(),
  /** what the pull requests tell of their feed; null: not looked at, as where it is read down to a time */
  toWalk: z
    .object({ due: z.int(), opened: z.array(z.number()) })
    .nullable()
    .default(null),
  ahead: aheadSchema,
  /** key of the last entry read */
  last: z.string().nullable(),
  ended: z.boolean(),
  /** an entry before `until` was met */
  reached: z.boolean(),
  /** since when it answers with errors only, by Postgres' clock */
  failingSince: z.string().nullable(),
  /** the repository is shown all the same */
  shown: z.boolean(),
  /** it is given up */
  lost: z.enum(WHYS).nullable(),
});
const own = { ...ownListFields, ...walk };
/** Each pull request of a range is asked for its own activity. */
const eachSchema = z.object({
  phase: z.literal('each'),
  ...own,
  range: rangeSchema,
  /** pages and entries that their own lists have, as the pull requests tell; null: not looked at */
  toAsk: z.object({ pages: z.int(), due: z.int() }).nullable().default(null),
  /** pages read of them */
  asked: z.int().default(0),
  ahead: aheadSchema,
});
/** Those that are short of something are; the ones of `except` were asked already. */
const repairSchema = z.object({
  phase: z.literal('repair'),
  ...own,
  except: rangeSchema.nullable(),
  /** so many of them were asked */
  contradicted: z.int().default(0),
});
/** Is the repository still shown? Then on: a missing feed is no missing repository. */
const probeSchema = z.object({ phase: z.literal('probe'), onward: feedSchema });
export const positionSchema = z.discriminatedUnion('phase', [
  feedSchema,
  lateVotesSchema,
  eachSchema,
  repairSchema,
  probeSchema,
]);
export type ActivityPosition = z.infer<typeof positionSchema>;
export type Feed = z.infer<typeof feedSchema>;
export type Each = z.infer<typeof eachSchema>;
export type Repair = z.infer<typeof repairSchema>;
type Walk = Pick<Feed, 'began' | 'read' | 'skipped'>;

/** A walk of the feed from its top. `givenUp`: earlier in this import, so the first error gives it up again. */
export const feedFrom = (until: string | null, givenUp: boolean): Feed => ({
  phase: 'feed',
  next: null,
  pages: 0,
  restarts: 0,
  began: null,
  read: 0,
  skipped: 0,
  until,
  oldest: null,
  passed: 0,
  toWalk: null,
  ahead: null,
  last: null,
  ended: false,
  reached: false,
  failingSince: null,
  shown: givenUp,
  lost: null,
});

const ownFrom = ({ began, read, skipped }: Walk) => ({ ...startOwnLists(), began, read, skipped });

export const eachFrom = (walked: Walk, range: PullRequestRange, toAsk: NonNullable<Each['toAsk']>): Each => ({
  phase: 'each',
  ...ownFrom(walked),
  range,
  toAsk,
  asked: 0,
  ahead: aheadOneByOne(toAsk, 0),
});

/** The look at late votes, behind the entries. */
export const votesFrom = ({ began, read, skipped }: Walk, except: PullRequestRange | null): LateVotes => ({
  phase: 'votes',
  after: 0,
  asked: 0,
  began,
  read,
  skipped,
  except,
});

/** The comparison per pull request. */
export const repairFrom = (votes: LateVotes): Repair => ({
  phase: 'repair',
  ...ownFrom(votes),
  except: votes.except,
  contradicted: 0,
});

/** Answers for the feed by which it cannot be had, where the repository itself is shown. */
export const FEED_MISSING: ReadonlySet<BitbucketErrorType> = new Set([
  'BadRequest',
  'NotFound',
  'RepositoryGone',
  'Forbidden',
  'ScopeMissing',
  'FeatureGone',
]);

/**
 * Where to go on after an error; undefined: it stands. A refused `next` starts its list again (its rows stay); a pull
 * request that is not found is looked for in the list of all; a feed that cannot be had is given up.
 */
export function recoverFrom(position: ActivityPosition, type: BitbucketErrorType): Recovery | undefined {
  switch (position.phase) {
    case 'votes':
    case 'probe':
      return undefined;
    case 'feed': {
      const onward = recoverFeed(position, type);
      return onward === undefined ? undefined : { position: onward };
    }
    default:
      return recoverOwnList(position, type);
  }
}

function recoverFeed(position: Feed, type: BitbucketErrorType): ActivityPosition | undefined {
  if (type === 'FeatureGone') return { ...position, lost: 'feed_unavailable' };
  if (type === 'Upstream' && position.shown) return { ...position, lost: 'feed_fails' };
  if (!FEED_MISSING.has(type)) return undefined;
  if (!refusesNext(position.next, type)) {
    return { phase: 'probe', onward: { ...position, lost: 'feed_unavailable' } };
  }
  if (position.restarts >= MAX_RESTARTS) return { ...position, lost: 'feed_refused' };
  return {
    ...position,
    next: null,
    pages: 0,
    restarts: position.restarts + 1,
    ahead: null,
    passed: position.pages * ENTRIES_A_PAGE,
  };
}
