import type { Comment } from './pullRequest.ts';
import type { Random } from './random.ts';

/** How many activity entries of which kind a pull request of the mix has. */
export interface EntryCounts {
  comments: number;
  /** Beside the comments: updates and verdicts, the opening and closing one included. */
  others: number;
}

const HEAVY_EVERY = 100;

/**
 * 6.0 entries on average, half of them comments. The heavy tail (1 in 100, above 60) is taken by number, so that every
 * hundred has one; the others have 3 to 8.
 */
export function entryCounts(random: Random, number: number): EntryCounts {
  const heavy = number % HEAVY_EVERY === 42;
  const entries = heavy ? 61 + random.below(10) : random.chance(0.04) ? 3 : 3 + random.below(6);
  const comments = Math.floor((entries + (entries > 3 ? random.below(2) : 0)) / 2);
  return { comments, others: entries - comments };
}

/** The comment that the activity of a pull request leaves out: its first live one, where this number is a flawed one. */
export function commentNotShown(
  number: number,
  comments: readonly Comment[],
  shortFeedEvery: number,
): Comment | undefined {
  if (shortFeedEvery === 0 || number % shortFeedEvery !== Math.floor(shortFeedEvery / 2)) return undefined;
  return comments.find((comment) => !comment.deleted);
}
