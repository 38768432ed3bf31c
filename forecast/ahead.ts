import { feedFactor, Z } from './activity.ts';
import { ASKED_OF_TICKET, PAGE_LENGTH } from './requests.ts';

/** What a walk has ahead of it, as far as it knows. Kept with its place, so that progress is read and not worked out. */
export interface Ahead {
  requests: number;
  /** null: nothing tells */
  records: { low: number; expected: number; high: number } | null;
}

/** What the feed of a repository is known to hold before it is walked. */
export interface FeedToWalk {
  /** entries that the pull requests tell of: beginnings, ends, comments, votes */
  due: number;
  /** when they were opened, milliseconds since 1970: the first, the last, and those between at equal parts of their number */
  opened: readonly number[];
}

/** How far a walk of the feed has come; it begins with the newest entry. */
export interface FeedWalked {
  entries: number;
  /** time of the oldest of them, milliseconds since 1970; null: there is none */
  oldest: number | null;
}

/**
 * What the pull requests tell speaks with the weight of this part of the feed, beside the entries that were met: the
 * newest pull requests have not got all of theirs yet, and old ones may be talked of while none begins.
 */
const TOLD_SHARE = 0.1;

const pagesOf = (entries: number): number => Math.ceil(entries / PAGE_LENGTH.pull_request_activity);

/** The rest of the whole feed: by the pull requests that were passed, and what those that are left tell of. */
export function aheadInFeed({ due, opened }: FeedToWalk, { entries, oldest }: FeedWalked): Ahead {
  const share = oldest === null ? 0 : openedSince(opened, oldest);
  const { factor, deviation } = feedFactor([]);
  const inAll = due * factor;
  // As many as were expected of what is left, corrected by how many were met of what is passed.
  const met = inAll === 0 ? 1 : (entries + TOLD_SHARE * inAll) / ((share + TOLD_SHARE) * inAll);
  const expected = (1 - share) * inAll * met;
  const error = (Z * deviation) / factor;
  return {
    requests: pagesOf(expected),
    records: { low: expected * (1 - error), expected, high: expected * (1 + error) },
  };
}

/** The rest of a feed that is read down to a time: by the time that was passed. All in milliseconds since 1970. */
export function aheadToTime(
  times: { began: number; until: number; oldest: number | null },
  entries: number,
): Ahead {
  const { began, until, oldest } = times;
  const share = oldest === null ? 0 : within(0, (began - oldest) / Math.max(1, began - until), 1);
  // Nobody tells how much changed: another page of it, before a time is passed.
  const expected = share === 0 ? PAGE_LENGTH.pull_request_activity : ((1 - share) * entries) / share;
  return { requests: pagesOf(expected), records: { low: 0, expected, high: 3 * expected } };
}

/** The rest of pull requests that are asked one by one. `pages`, `due`: of all of them; `asked`: pages read. */
export function aheadOneByOne({ pages, due }: { pages: number; due: number }, asked: number): Ahead {
  const requests = Math.max(0, pages - asked);
  const { factor, deviation } = feedFactor([]);
  const expected = pages === 0 ? 0 : (due * factor * requests) / pages;
  const error = (Z * deviation) / factor;
  return {
    requests,
    records: { low: expected * (1 - error), expected, high: expected * (1 + error) },
  };
}

/** The rest of tickets that are asked for a list of theirs. */
export const aheadOfTickets = (tickets: number): Ahead => ({
  requests: Math.ceil(tickets * ASKED_OF_TICKET.expected),
  records: null,
});

/** Which share of them was opened since then: they are passed, as all that happened to them came later. */
function openedSince(opened: readonly number[], time: number): number {
  const parts = opened.length - 1;
  const behind = opened.findIndex((one) => one >= time);
  if (behind === -1 || parts < 1) return 0;
  if (behind === 0) return 1;
  const from = opened[behind - 1] ?? time;
  const to = opened[behind] ?? time;
  return (parts - behind + (to - time) / Math.max(1, to - from)) / parts;
}

const within = (low: number, value: number, high: number): number => Math.min(high, Math.max(low, value));
