import {
  type CommitSource,
  SERVICES,
  type Service,
  type Stream,
  STREAMS_OF_SERVICE,
} from '../workflows/words.ts';
import { type ActivityEstimate, estimateActivity, type FeedSight, type Stratum } from './activity.ts';
import { estimateCommits, type KnownDensity, MERGED_OF_CLOSED } from './commits.ts';
import type { RepositoryFacts } from './facts.ts';
import { exactly, type Range, rounded } from './range.ts';
import {
  ASKED_OF_TICKET,
  type ImportSize,
  type RequestStream,
  requestsOf,
  REQUEST_STREAMS,
  SHORT_IN_FEED,
  type Tracker,
} from './requests.ts';

export interface StreamEstimate {
  stream: Stream;
  records: Range;
  requests: Range;
}

/** What is known of a repository beside the answers. */
export interface RepositorySituation {
  services: readonly Service[];
  commitSource: CommitSource;
  /** as discovery found it; null: not said */
  sizeBytes: number | null;
  hasIssues: boolean | null;
  /** since when changes are read, ISO; null: everything is */
  since: string | null;
  /** streams whose whole list an earlier import found to be empty */
  foundEmpty: readonly Stream[];
  /** the host answered another repository of this estimate that trackers are gone */
  trackersGone: boolean;
  /** feeds of the estimate's other repositories, where this one's was not asked for */
  otherFeeds: readonly FeedSight[];
  knownDensity: KnownDensity | null;
}

/** Nothing that Bitbucket lists tells how many comments or changes a ticket has (facts 3.8). */
const PER_TICKET = { low: 0, expected: 1.2, high: 5 } as const;

type Bound = 'low' | 'expected' | 'high';
const BOUNDS: readonly Bound[] = ['low', 'expected', 'high'];

/** Rows and requests of one repository's import, stream by stream, from what its few questions told. */
export function estimateRepository(facts: RepositoryFacts, situation: RepositorySituation): StreamEstimate[] {
  const { services } = situation;
  const total = facts.list?.size ?? 0;
  const strata = strataOf(facts);
  const activity = activityOf(facts, situation, strata);
  const tickets = typeof facts.tickets === 'number' ? facts.tickets : 0;
  const records = recordsOf({ facts, situation, strata, total, activity, tickets });
  const counts = new Map(
    BOUNDS.map((bound) => {
      const size = sizeAt(bound, { facts, situation, total, activity, tickets, records });
      return [bound, requestsOf(size, { services })] as const;
    }),
  );
  const requests = (service: Service, stream: Stream): Range => {
    if (!isAsked(stream)) return exactly(0);
    const at = (bound: Bound): number => counts.get(bound)?.[stream] ?? 0;
    const low = at('low');
    const high = at('high');
    const basis = service === 'pull_requests' ? activity.entries.basis : records[stream].basis;
    return { low, expected: at('expected'), high, basis: low === high ? 'counted' : basis };
  };
  return SERVICES.filter((service) => services.includes(service)).flatMap((service) =>
    STREAMS_OF_SERVICE[service].map((stream) => ({
      stream,
      records: rounded(records[stream]),
      requests: rounded(requests(service, stream)),
    })),
  );
}

const isAsked = (stream: Stream): stream is RequestStream => REQUEST_STREAMS.some((name) => name === stream);

/** The newest page, and those spread over the rest. */
function strataOf({ list, spread }: RepositoryFacts): Stratum[] {
  if (list === null) return [];
  const rest = Math.max(0, list.size - list.newest.length);
  const newest = { total: list.newest.length, seen: list.newest };
  if (rest === 0) return [newest];
  // Where no others were asked about, the newest ones have to speak for all.
  return spread === null || spread.length === 0
    ? [{ total: list.size, seen: list.newest }]
    : [newest, { total: rest, seen: spread }];
}

function activityOf(
  facts: RepositoryFacts,
  situation: RepositorySituation,
  strata: readonly Stratum[],
): ActivityEstimate {
  const own = facts.feed === 'gone' ? null : facts.feed;
  const estimate = estimateActivity(strata, { own, others: situation.otherFeeds });
  if (situation.since === null || own === null) return estimate;
  // What changed since the watermark: the page reaches it, or its pace tells how far it is.
  const entries = own.whole || own.fresh < own.entries ? exactly(own.fresh) : pacedTo(own, situation.since);
  return { ...estimate, entries };
}

function pacedTo(feed: Exclude<RepositoryFacts['feed'], 'gone' | null>, since: string): Range {
  const newest = Date.parse(feed.newest ?? since);
  const oldest = Date.parse(feed.oldest ?? since);
  const pace = feed.entries / Math.max(1, newest - oldest);
  const expected = Math.max(feed.entries, pace * (newest - Date.parse(since)));
  return { low: feed.entries, expected, high: 3 * expected, basis: 'pull_requests' };
}

interface Known {
  facts: RepositoryFacts;
  situation: RepositorySituation;
  total: number;
  activity: ActivityEstimate;
  tickets: number;
}

function trackerOf({ facts, situation }: Known): Tracker {
  if (situation.hasIssues === false) return 'known_off';
  if (facts.tickets === 'gone' || facts.tickets === 'off') return 'refused';
  return facts.tickets === null && situation.trackersGone ? 'refused' : 'alive';
}

function sizeAt(bound: Bound, known: Known & { records: Record<Stream, Range> }): ImportSize {
  const { facts, situation, total, activity, tickets, records } = known;
  const short = Math.round(activity.commented * SHORT_IN_FEED[bound]);
  const whole = situation.since === null;
  const history = {
    refs: Math.round(records.refs[bound]),
    commits: Math.round(records.commits[bound]),
    tagless: bound === 'high',
  };
  return {
    history: situation.commitSource === 'git' ? null : history,
    pullRequests: total,
    activity: Math.round(activity.entries[bound]),
    feedGone: facts.feed === 'gone',
    ownActivity: 0,
    // Edits show in no feed: of what changed since the last time, all that has comments is read again.
    ownComments: whole ? short : Math.round(activity.commented),
    tracker: trackerOf(known),
    tickets,
    commentRequests: Math.round(tickets * ASKED_OF_TICKET[bound]),
    changeRequests: Math.round(tickets * ASKED_OF_TICKET[bound]),
    whole,
    foundEmpty: situation.foundEmpty,
  };
}

function recordsOf(known: Known & { strata: readonly Stratum[] }): Record<Stream, Range> {
  const { situation, strata, total, activity, tickets } = known;
  const whole = situation.since === null;
  const closed = strata.reduce(
    (sum, { total: size, seen }) =>
      seen.length === 0 ? sum : sum + (size * seen.filter((one) => one.closed).length) / seen.length,
    0,
  );
  const open = Math.max(0, total - closed);
  const commits = estimateCommits({
    sizeBytes: whole ? situation.sizeBytes : null,
    merged: closed * MERGED_OF_CLOSED,
    known: situation.knownDensity,
  });
  const listed = exactly(total, 'listed');
  const perTicket: Range = {
    low: tickets * PER_TICKET.low,
    expected: tickets * PER_TICKET.expected,
    high: tickets * PER_TICKET.high,
    basis: 'listed',
  };
  return {
    refs: { low: Math.min(1, commits.low), expected: open + 2, high: total + 200, basis: 'pull_requests' },
    commits,
    pull_requests: listed,
    pull_request_activity: activity.entries,
    pull_request_comments: activity.comments,
    tickets: exactly(tickets, 'listed'),
    ticket_comments: perTicket,
    ticket_changes: perTicket,
  };
}
