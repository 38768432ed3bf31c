/**
 * How often, and how much of it at once, an integration is polled. Polling may spend a share of the account's allowance;
 * where that is not enough for a round at each interval, the interval stretches.
 */

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** Of the account's allowance, in all rounds of all its integrations together. */
export const POLL_SHARE = 0.3;

/** Within this time all repositories are looked at one by one, whatever the short ways say. */
export const rotationMs = (repositories: number): number => (repositories <= 2_000 ? DAY_MS : 5 * DAY_MS);

/** Behind a rest, only what so long a time owes is made up for at once: more would put off the round after for hours. */
const MOST_MADE_UP_MS = 3 * HOUR_MS;

/**
 * How many repositories a round looks at so that all have their turn in time. `sinceMs`: since the round before;
 * `intervalMs`: how far the rounds lie apart when none rests.
 */
export function rotationBatch(input: { repositories: number; sinceMs: number; intervalMs: number }): number {
  const { repositories, sinceMs, intervalMs } = input;
  const owedMs = Math.min(sinceMs, Math.max(intervalMs, MOST_MADE_UP_MS));
  return Math.min(repositories, Math.ceil((repositories * owedMs) / rotationMs(repositories)));
}

/**
 * Milliseconds between the begins of two rounds that ask as much as the last one. `requestsOfOthers`: of the last rounds of
 * the account's other integrations. As each of them waits for the requests of all, together they keep to the share however
 * much each asks. `limit`: requests in a window of `windowMs`; null: there is none.
 */
export function effectiveIntervalMs(input: {
  intervalMs: number;
  requests: number;
  requestsOfOthers: number;
  limit: number | null;
  windowMs: number;
}): number {
  const { intervalMs, requests, requestsOfOthers, limit, windowMs } = input;
  if (limit === null || limit === 0) return intervalMs;
  const shareOfLimit = POLL_SHARE * limit;
  return Math.max(intervalMs, Math.ceil(((requests + requestsOfOthers) * windowMs) / shareOfLimit));
}

/** The cheaper way to find changed pull requests of a workspace: a request an author, or one a repository. */
export const pullRequestsBy = (counts: {
  authors: number;
  repositories: number;
}): 'authors' | 'repositories' =>
  counts.authors > 0 && counts.authors < counts.repositories ? 'authors' : 'repositories';
