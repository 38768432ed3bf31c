import { type Allowance, endOf } from './allowance.ts';

/** How far something is (an import, a repository, a stream) that has not ended. */
export interface Standing {
  /** null: not known yet */
  requestsLeft: number | null;
  /** over the last minute; 0: nothing was asked */
  requestsPerSecond: number;
  /** repositories that have not ended */
  repositories: number;
  /** git's time that is left, milliseconds */
  gitMs: number;
  /** those of the account that want their share of the allowance too, this one included */
  sharers: number;
}

/** From one request of a repository to its next, where nothing is measured: an answer of Bitbucket's and its page's transaction. */
const REQUEST_MS = 400;

/** Repositories that an import has in hand at once. */
const IN_HAND = 16;

/** An end is no more exact than this, and should not change with every look. */
const STEP_MS = 10_000;

/**
 * When it ends, milliseconds since 1970, as fast as it went in the last minute and as the allowance lets it; null where
 * what is left is not known. `allowance: null`: nothing is known of it.
 */
export function expectedEnd(standing: Standing, allowance: Allowance | null, nowMs: number): number | null {
  const { requestsLeft, requestsPerSecond, repositories, gitMs, sharers } = standing;
  if (requestsLeft === null) return null;
  const inHand = Math.max(1, Math.min(IN_HAND, repositories));
  const requestMs = requestsPerSecond > 0 ? (inHand * 1_000) / requestsPerSecond : REQUEST_MS;
  // A rate of a few requests in a minute of waiting says how long it waited, not how fast it goes.
  const work = {
    requests: requestsLeft,
    repositories,
    requestMs: Math.min(requestMs, 10_000),
    gitMs,
    sharers,
  };
  return Math.ceil(endOf(work, allowance, nowMs) / STEP_MS) * STEP_MS;
}
