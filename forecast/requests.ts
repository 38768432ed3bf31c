import type { Service, Stream } from '../workflows/words.ts';

/**
 * What an import asks of Bitbucket: the one place that counts it. The estimate uses it before an import, progress while
 * one runs. Refs and commits cost requests only where they are listed: git has an allowance of its own.
 */

/** The most records that Bitbucket gives in one page (facts 3.2). */
export const PAGE_LENGTH = {
  refs: 100,
  commits: 100,
  pull_requests: 50,
  pull_request_activity: 50,
  pull_request_comments: 100,
  tickets: 100,
  ticket_comments: 100,
  ticket_changes: 100,
} as const satisfies Partial<Record<Stream, number>>;

export type RequestStream = keyof typeof PAGE_LENGTH;
export type RequestCounts = Record<RequestStream, number>;

export const REQUEST_STREAMS = Object.keys(PAGE_LENGTH).filter(
  (name): name is RequestStream => name in PAGE_LENGTH,
);

/**
 * Pull requests whose comments the feed does not show in full, of those with comments: seldom, and at most one in a
 * hundred. Two requests are too few to see it.
 */
export const SHORT_IN_FEED = { low: 0, expected: 1 / 400, high: 1 / 100 } as const;

/** Requests of a ticket's list: one, and two more where it is empty, since nothing else speaks for that. */
export const ASKED_OF_TICKET = { low: 1, expected: 1.5, high: 3 } as const;

/**
 * - `alive`: its lists answer
 * - `refused`: the host answers that there is none (404 for this repository, 410 for all), which costs a request
 * - `known_off`: the repository's own record says that there is none
 */
export type Tracker = 'alive' | 'refused' | 'known_off';

/** What one repository holds, as far as its import's requests follow from it. Numbers may be guesses, so need not be whole. */
export interface ImportSize {
  /** what is listed of the history; null: git reads it */
  history: {
    refs: number;
    commits: number;
    /** there are no tags, which is asked twice before it is believed */
    tagless: boolean;
  } | null;
  /** pull requests in the list: all of them, or those changed since the watermark */
  pullRequests: number;
  /** entries of the repository's activity feed that are read */
  activity: number;
  /** the feed cannot be had: each pull request is asked for its own */
  feedGone: boolean;
  /** pull requests whose own activity is read because the feed does not show what must be there */
  ownActivity: number;
  /** pull requests whose own comments are read */
  ownComments: number;
  tracker: Tracker;
  tickets: number;
  /** requests for the comments of tickets, and for their changes */
  commentRequests: number;
  changeRequests: number;
  /** everything is read; false: what changed since the watermarks */
  whole: boolean;
  /** streams whose whole list an earlier import found to be empty: it was the witness, so an empty one is believed at once */
  foundEmpty: readonly Stream[];
}

/**
 * A repository that takes more is closed by a round (`activities/streams/closing.ts`). So is one that is read for more than a
 * minute; but which of the small ones have to wait that long, because the allowance is used up just then, nobody knows.
 */
const QUICK_REQUESTS = 25;

/** Pages of a list, of which an empty one is one too. */
const pages = (records: number, length: number): number => Math.max(1, Math.ceil(records / length));

/**
 * An empty list is believed at the third such answer, one of refs at the second, one of tickets at the fourth; a list of
 * what changed shows the newest record that is known.
 */
const doubt = (records: number, whole: boolean, answers = 3): number =>
  records <= 0 && whole ? answers - 1 : 0;

/** Branches are one list, tags another; of commits nothing is asked where the refs lead to none that are new. */
function historyCounts({ history, whole }: ImportSize): Partial<RequestCounts> {
  if (history === null) return {};
  const { refs, commits, tagless } = history;
  const doubts = doubt(refs, whole, 2) + (tagless || refs <= 0 ? doubt(0, whole, 2) : 0);
  return {
    refs: 1 + pages(refs, PAGE_LENGTH.refs) + doubts,
    commits: Math.ceil(Math.max(0, commits) / PAGE_LENGTH.commits),
  };
}

function pullRequestCounts(size: ImportSize): Partial<RequestCounts> {
  const { pullRequests, activity, feedGone, ownActivity, ownComments, whole, foundEmpty } = size;
  const list =
    pages(pullRequests, PAGE_LENGTH.pull_requests) +
    doubt(pullRequests, whole && !foundEmpty.includes('pull_requests'));
  // Without pull requests there is nothing that could have happened to them.
  if (pullRequests <= 0 && whole) return { pull_requests: list };
  const feed = feedGone ? 1 + pullRequests : pages(activity, PAGE_LENGTH.pull_request_activity);
  return {
    pull_requests: list,
    pull_request_activity: feed + ownActivity,
    pull_request_comments: ownComments,
  };
}

function ticketCounts(size: ImportSize): Partial<RequestCounts> {
  const { tracker, tickets, commentRequests, changeRequests, whole, foundEmpty } = size;
  if (tracker === 'known_off') return {};
  if (tracker === 'refused') return { tickets: 1 };
  return {
    tickets:
      pages(tickets, PAGE_LENGTH.tickets) + doubt(tickets, whole && !foundEmpty.includes('tickets'), 4),
    ticket_comments: commentRequests,
    ticket_changes: changeRequests,
  };
}

/** What one closing round asks: each stream's list from its watermark. */
const closingRound = (services: readonly Service[], size: ImportSize): Partial<RequestCounts> => ({
  ...(services.includes('repositories') && size.history !== null
    ? { refs: 1 + pages(size.history.refs, PAGE_LENGTH.refs) }
    : {}),
  ...(services.includes('pull_requests') ? { pull_requests: 1 } : {}),
  ...(services.includes('pull_requests') && size.pullRequests > 0 ? { pull_request_activity: 1 } : {}),
  ...(services.includes('tickets') && size.tracker === 'alive' ? { tickets: 1 } : {}),
});

const none = (): RequestCounts => ({
  refs: 0,
  commits: 0,
  pull_requests: 0,
  pull_request_activity: 0,
  pull_request_comments: 0,
  tickets: 0,
  ticket_comments: 0,
  ticket_changes: 0,
});

function added(...parts: readonly Partial<RequestCounts>[]): RequestCounts {
  const counts = none();
  for (const part of parts) for (const name of REQUEST_STREAMS) counts[name] += part[name] ?? 0;
  return counts;
}

export const totalOf = (counts: RequestCounts): number =>
  REQUEST_STREAMS.reduce((total, name) => total + counts[name], 0);

/**
 * The API requests that the import of one repository makes, by stream. More of anything never makes it fewer.
 */
export function requestsOf(size: ImportSize, { services }: { services: readonly Service[] }): RequestCounts {
  const first = added(
    services.includes('repositories') ? historyCounts(size) : {},
    services.includes('pull_requests') ? pullRequestCounts(size) : {},
    services.includes('tickets') ? ticketCounts(size) : {},
  );
  const asked = totalOf(first);
  if (asked <= QUICK_REQUESTS) return first;
  return added(first, closingRound(services, size));
}
