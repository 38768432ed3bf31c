/** What may still be asked of Bitbucket in an account's rolling window. Times are ISO. */
export interface Allowance {
  /** requests a window; null: none is known */
  limit: number | null;
  /** of these, kept for live syncs and connection checks */
  reserve: number;
  /** counted in the window now */
  used: number;
  windowMs: number;
  /** a 429 said not to ask before then */
  blockedUntil: string | null;
  /** when how many of the used ones leave the window, oldest first */
  frees: readonly { at: string; requests: number }[];
}

/** What is to be done with it. */
export interface Work {
  requests: number;
  repositories: number;
  /** from one request of a repository to its next, milliseconds: the answer's time, as measured */
  requestMs: number;
  /** git's time for all repositories, milliseconds */
  gitMs: number;
  /** imports and syncs of the account that want their share too, this one included */
  sharers: number;
}

/** Repositories that an import has in hand at once (`workflows/timing.ts`). */
const IN_HAND = 16;

/** The window is kept in so many parts; a part leaves it as a whole (design 6.2: 10 s of an hour). */
const PARTS = 360;

/** Steps in which a window's worth of requests is counted here. */
const STEPS = 20;

/**
 * When the work ends, in milliseconds since 1970: as fast as answers come, but never more requests in any window than
 * this work's share of what it may hold. Requests that are in the window already come free when they leave it.
 * `allowance: null`: nothing is known of it.
 */
export function endOf(work: Work, allowance: Allowance | null, nowMs: number): number {
  const inHand = Math.max(1, Math.min(IN_HAND, work.repositories));
  const eachMs = work.requestMs / inHand;
  const gitEndsMs = nowMs + work.gitMs / inHand;
  // Git comes first in each repository; where there are many, others ask meanwhile.
  const beginsMs = nowMs + work.gitMs / Math.max(1, work.repositories);
  if (work.requests <= 0) return gitEndsMs;
  const limit = allowance?.limit ?? null;
  if (allowance === null || limit === null) {
    const blockedMs = allowance?.blockedUntil == null ? 0 : Date.parse(allowance.blockedUntil);
    return Math.max(gitEndsMs, Math.max(beginsMs, blockedMs) + work.requests * eachMs);
  }
  const usable = Math.max(1, limit - allowance.reserve);
  return Math.max(gitEndsMs, walk(work, allowance, { nowMs, beginsMs, eachMs, usable }));
}

function walk(
  work: Work,
  allowance: Allowance,
  at: { nowMs: number; beginsMs: number; eachMs: number; usable: number },
): number {
  const { windowMs, blockedUntil, used } = allowance;
  const share = 1 / Math.max(1, work.sharers);
  const partMs = windowMs / PARTS;
  const step = (at.usable * share) / STEPS;
  const blockedMs = blockedUntil === null ? 0 : Date.parse(blockedUntil);
  const frees = freesOf(allowance, at);
  let next = 0;
  let free = Math.max(0, at.usable - used) * share;
  let left = work.requests;
  let timeMs = Math.max(at.beginsMs, blockedMs);
  for (;;) {
    for (let one = frees[next]; one !== undefined && one.atMs <= timeMs; one = frees[next]) {
      free += one.requests * (one.ours ? 1 : share);
      next += 1;
    }
    const wanted = Math.min(left, step);
    if (free + 1e-9 < wanted) {
      const following = frees[next];
      // Nothing is free and nothing will be: a window of others' requests whose end is not known.
      if (following === undefined) return timeMs + windowMs * Math.ceil(left / (at.usable * share));
      timeMs = following.atMs;
      continue;
    }
    timeMs += wanted * at.eachMs;
    frees.push({ atMs: timeMs + windowMs + partMs, requests: wanted, ours: true });
    free -= wanted;
    left -= wanted;
    if (left <= 1e-9) return timeMs + work.requestMs;
  }
}

/** Oldest first; what is used and not said to leave at some time leaves with the window. */
function freesOf(
  { frees, used, windowMs }: Allowance,
  { nowMs, usable }: { nowMs: number; usable: number },
): { atMs: number; requests: number; ours: boolean }[] {
  const said = frees.map(({ at, requests }) => ({ atMs: Date.parse(at), requests }));
  const all = [...said, { atMs: nowMs + windowMs, requests: used }].toSorted(
    (one, other) => one.atMs - other.atMs,
  );
  let left = used;
  // More may be used than this work may use: the first that leave then free nothing for it.
  let beyond = Math.max(0, used - usable);
  return all.map(({ atMs, requests }) => {
    const leaving = Math.min(left, requests);
    left -= leaving;
    const lost = Math.min(beyond, leaving);
    beyond -= lost;
    return { atMs, requests: leaving - lost, ours: false };
  });
}
