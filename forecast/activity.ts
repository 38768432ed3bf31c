import type { Range } from './range.ts';

/** What the list shows of one pull request that its activity follows from. */
export interface PullRequestSight {
  /** `comment_count`: deleted comments are not in it */
  comments: number;
  /** participants whose last word is an approval or a request for changes */
  votes: number;
  /** merged, declined or superseded */
  closed: boolean;
}

/** Pull requests of which some (or all) were seen. */
export interface Stratum {
  total: number;
  seen: readonly PullRequestSight[];
}

/** What the newest page of the repository's activity shows. */
export interface FeedSight {
  /** there is no further page: the entries are all there are */
  whole: boolean;
  entries: number;
  /** comments that are not deleted */
  comments: number;
  deletedComments: number;
  /** each person's vote on a pull request once */
  votes: number;
  /** entries that open or close a pull request */
  turns: number;
}

export interface ActivityEstimate {
  /** entries of the feed, those of no kind included */
  entries: Range;
  /** comments, deleted ones included */
  comments: Range;
  /** pull requests that have comments */
  commented: number;
}

/** Entries that a pull request must have: it was opened, perhaps closed, commented and voted on. */
const due = ({ comments, votes, closed }: PullRequestSight): number =>
  comments + votes + 1 + (closed ? 1 : 0);

/**
 * Entries beside those that are due (edits, pushes, votes taken back, deleted comments), for each that is. Assumed with
 * the weight of so many entries, so that one page of feed does not decide alone.
 */
const USUAL_FACTOR = 1.08;
const USUAL_WEIGHT = 10;
const USUAL_DELETED = 0.03;

/**
 * Entries of a pull request of which nothing is known: it is opened and closed, has a vote, two or three comments and what
 * `USUAL_FACTOR` adds. For as long as neither its own row nor the feed has told more.
 */
export const USUAL_ENTRIES = 6;

/** A long discussion. One in so many as were seen may be one without having been seen. */
const LONG = 60;

/** Normal quantile: about 19 in 20 lie within. */
export const Z = 2;

interface Sampled {
  total: number;
  /** standard deviation of the guess */
  deviation: number;
}

/** Pull requests of another stratum speak for this one with this weight: discussions change over the years. */
const NEIGHBOUR_WEIGHT = 0.5;

const mean = (weighted: readonly { value: number; weight: number }[]): number => {
  const weight = weighted.reduce((total, one) => total + one.weight, 0);
  return weight === 0 ? 0 : weighted.reduce((total, one) => total + one.value * one.weight, 0) / weight;
};

/**
 * A stratum's total from the pull requests seen in it and, with less weight, from those seen in the others. Open and
 * closed ones are held apart, since the newest ones, of which all are seen, are mostly open (post-stratification,
 * Cochran 5A.9).
 */
function totalOf(
  stratum: Stratum,
  others: readonly PullRequestSight[],
  value: (sight: PullRequestSight) => number,
): Sampled {
  const { total: size, seen } = stratum;
  if (seen.length === 0) return { total: 0, deviation: 0 };
  if (seen.length >= size) return { total: seen.reduce((sum, one) => sum + value(one), 0), deviation: 0 };
  let total = 0;
  let variance = 0;
  for (const closed of [false, true]) {
    const own = seen.filter((one) => one.closed === closed).map((one) => ({ value: value(one), weight: 1 }));
    if (own.length === 0) continue;
    const more = others.filter((one) => one.closed === closed);
    const all = [...own, ...more.map((one) => ({ value: value(one), weight: NEIGHBOUR_WEIGHT }))];
    const middle = mean(all);
    const members = (size * own.length) / seen.length;
    const weight = all.reduce((sum, one) => sum + one.weight, 0);
    const spread = mean(all.map((one) => ({ ...one, value: (one.value - middle) ** 2 })));
    total += members * middle;
    variance += members ** 2 * (1 - seen.length / size) * (spread / Math.max(1, weight - 1));
  }
  return { total, deviation: Math.sqrt(variance) };
}

function totalOver(strata: readonly Stratum[], value: (sight: PullRequestSight) => number): Sampled {
  const parts = strata.map((stratum) =>
    totalOf(
      stratum,
      strata.flatMap((other) => (other === stratum ? [] : other.seen)),
      value,
    ),
  );
  return {
    total: parts.reduce((sum, part) => sum + part.total, 0),
    deviation: Math.hypot(...parts.map((part) => part.deviation)),
  };
}

/** How many entries there are for each that is due, from pages of feeds. */
export function feedFactor(feeds: readonly FeedSight[]): { factor: number; deviation: number } {
  const entries = feeds.reduce((total, feed) => total + feed.entries, 0);
  const expected = feeds.reduce((total, feed) => total + feed.comments + feed.votes + feed.turns, 0);
  const weight = expected + USUAL_WEIGHT;
  const factor = (entries + USUAL_WEIGHT * USUAL_FACTOR) / weight;
  // Of n entries those due are binomial; the factor is its inverse share.
  const share = Math.min(1, 1 / factor);
  return { factor, deviation: factor * Math.sqrt(((1 - share) / share / weight) * 1) };
}

/**
 * How much activity a repository has. Its feed has no size and cannot be jumped in, but the list of pull requests tells
 * what must be in it; a page of the feed tells how much else there is. `feeds` are those of this estimate that tell
 * about this repository: its own, or where it was not asked, those of others.
 */
export function estimateActivity(
  strata: readonly Stratum[],
  feeds: { own: FeedSight | null; others: readonly FeedSight[] },
): ActivityEstimate {
  const commented = totalOver(strata, (sight) => (sight.comments > 0 ? 1 : 0)).total;
  const { own, others } = feeds;
  const live = totalOver(strata, (sight) => sight.comments);
  const seenComments = own === null ? 0 : own.comments + own.deletedComments;
  const deleted =
    ((own?.deletedComments ?? 0) + USUAL_WEIGHT * USUAL_DELETED) / (seenComments + USUAL_WEIGHT);
  const unseen = longOnesUnseen(strata);
  const comments: Range = {
    low: live.total - Z * live.deviation,
    expected: live.total / (1 - deleted),
    high: (live.total + Z * live.deviation) * (1 + 3 * deleted) + unseen,
    basis: 'pull_requests',
  };
  if (own?.whole === true) {
    const all = own.comments + own.deletedComments;
    return { entries: exact(own.entries), comments: exact(all), commented };
  }
  const { factor, deviation } = feedFactor(own === null ? others : [own]);
  const dueInAll = totalOver(strata, due);
  const expected = dueInAll.total * factor;
  const error = Z * Math.hypot(dueInAll.deviation * factor, dueInAll.total * deviation);
  return {
    entries: {
      low: Math.max(own?.entries ?? 0, dueInAll.total - Z * dueInAll.deviation, expected - error),
      expected: Math.max(expected, own?.entries ?? 0),
      high: expected + error + unseen,
      basis: 'pull_requests',
    },
    comments: { ...comments, low: Math.max(0, Math.min(comments.low, comments.expected)) },
    commented,
  };
}

const exact = (value: number): Range => ({ low: value, expected: value, high: value, basis: 'counted' });

/** What long discussions may add that are too rare to be in the sample: one pull request in as many as were seen. */
function longOnesUnseen(strata: readonly Stratum[]): number {
  return strata.reduce((total, { total: size, seen }) => {
    if (seen.length >= size || seen.length === 0) return total;
    if (seen.some((sight) => due(sight) >= LONG / 2)) return total;
    return total + (LONG * (size - seen.length)) / seen.length;
  }, 0);
}
