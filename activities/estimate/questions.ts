import { z } from 'zod';
import type { FeedSight, PullRequestSight } from '../../forecast/activity.ts';
import type { RepositoryFacts } from '../../forecast/facts.ts';
import type { Service } from '../../workflows/words.ts';
import type { BitbucketAnswer } from '../bitbucket/client.ts';
import { readPage, readRecords, type Page } from '../bitbucket/paging.ts';
import { activitySchema, type ActivityEntry } from '../bitbucket/schemas.ts';
import { before, OVERLAP_MS } from '../streams/instants.ts';
import { anyOfIds } from '../streams/keyedWalk.ts';
import { kindOf } from '../pullRequests/activityRows.ts';

/** A repository is asked no more than this, whatever is left open. */
export const MOST_QUESTIONS = 3;

/** What an estimate may ask about a repository. */
export interface Asked {
  fullName: string;
  services: readonly Service[];
  hasIssues: boolean | null;
  /** the host answered another repository that trackers are gone */
  trackersGone: boolean;
  /** read everything, or what changed since these (ISO)? */
  since: { pullRequests: string | null; activity: string | null; tickets: string | null };
}

export type Question = { about: 'list' | 'spread' | 'feed' | 'tickets'; path: string };

// The most that a page of pull requests holds (facts 3.2).
const PAGE = 50;

const sightSchema = z.object({
  id: z.int().positive(),
  state: z.string(),
  comment_count: z.int().nonnegative().nullish(),
  created_on: z.string().nullish(),
  participants: z.array(z.object({ approved: z.boolean().nullish(), state: z.string().nullish() })).nullish(),
});

/**
 * The next thing to ask; null: nothing more is worth a request, or all three are spent. What was learned decides, so an
 * estimate that broke off goes on where it stood. Number and size of the lists come first, since requests follow from
 * them exactly; then pull requests out of all years, since most requests are pages of their activity; then its newest
 * page.
 */
export function nextQuestion(facts: RepositoryFacts, asked: Asked): Question | null {
  const spent = [facts.list, facts.spread, facts.feed, facts.tickets].filter((fact) => fact !== null).length;
  if (spent >= MOST_QUESTIONS) return null;
  const reads = (service: Service): boolean => asked.services.includes(service);
  const base = `/repositories/${asked.fullName}`;
  if (reads('pull_requests') && facts.list === null) {
    return { about: 'list', path: pullRequests(base, changedSince(asked.since.pullRequests), '-id') };
  }
  if (reads('tickets') && facts.tickets === null && asked.hasIssues !== false && !asked.trackersGone) {
    const query = changedSince(asked.since.tickets);
    return { about: 'tickets', path: `${base}/issues?pagelen=1&fields=size,values.id&q=${query}` };
  }
  if (facts.list === null || facts.list.size === 0) return null;
  const numbers = spreadNumbers(facts.list, asked);
  if (facts.spread === null && numbers.length > 0) {
    const query = encodeURIComponent(anyOfIds(numbers));
    return { about: 'spread', path: pullRequests(base, query, 'id') };
  }
  return facts.feed === null
    ? { about: 'feed', path: `${base}/pullrequests/activity?pagelen=${String(PAGE)}` }
    : null;
}

const FIELDS = ['id', 'state', 'comment_count', 'created_on', 'participants.approved', 'participants.state'];

const pullRequests = (base: string, query: string, sort: string): string =>
  `${base}/pullrequests?pagelen=${String(PAGE)}&fields=size,next,${FIELDS.map((name) => `values.${name}`).join(',')}` +
  `&q=${query}&sort=${sort}`;

/** With `q` the list shows all states (facts 3.3), so there always is one. */
const changedSince = (since: string | null): string =>
  encodeURIComponent(since === null ? 'id>0' : `updated_on>=${before(since, OVERLAP_MS)} AND id>0`);

/**
 * One number out of each of up to 50 equal parts of those behind the newest page. Which one is a hash of the repository's
 * name and the part: a fixed step could fall in with a rhythm of the numbers, and by our id the same repository would be
 * estimated anew by chance wherever it is connected again.
 */
function spreadNumbers(list: NonNullable<RepositoryFacts['list']>, asked: Asked): number[] {
  const { lowest, size, newest } = list;
  // What changed since the last time are no neighbouring numbers.
  if (asked.since.pullRequests !== null || size <= newest.length) return [];
  const behind = lowest - 1;
  const parts = Math.min(PAGE, behind);
  return Array.from({ length: parts }, (_, part) => {
    const from = Math.floor((part * behind) / parts) + 1;
    const to = Math.floor(((part + 1) * behind) / parts);
    return from + (hash(`${asked.fullName}/${String(part)}`) % (to - from + 1));
  });
}

/** FNV-1a. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let at = 0; at < text.length; at += 1) value = Math.imul(value ^ text.charCodeAt(at), 0x01000193);
  return value >>> 0;
}

/** What is known behind an answer. Throws InvalidResponse for one that cannot be read. */
export function learn(
  facts: RepositoryFacts,
  question: Question,
  answer: BitbucketAnswer,
  asked: Asked,
): RepositoryFacts {
  const page = readPage(answer, question.about);
  switch (question.about) {
    case 'list':
      return { ...facts, list: listSeen(page) };
    case 'spread':
      return { ...facts, spread: sightsOf(page).map(({ sight }) => sight) };
    case 'feed':
      return { ...facts, feed: feedSeen(page, answer, facts, asked) };
    case 'tickets':
      return { ...facts, tickets: page.size ?? page.values.length };
  }
}

/** Pull requests that cannot be read are left out: the import puts them into quarantine. */
function sightsOf(page: Page): { number: number; createdMs: number; sight: PullRequestSight }[] {
  return page.values.flatMap((value) => {
    const parsed = sightSchema.safeParse(value);
    if (!parsed.success) return [];
    const { id, state, comment_count: comments, created_on: created, participants } = parsed.data;
    const votes = (participants ?? []).filter(
      (one) => one.approved === true || (one.state ?? '') !== '',
    ).length;
    const sight = { comments: comments ?? 0, votes, closed: state !== 'OPEN' };
    return [{ number: id, createdMs: Date.parse(created ?? '') || 0, sight }];
  });
}

function listSeen(page: Page): NonNullable<RepositoryFacts['list']> {
  const seen = sightsOf(page);
  const numbers = seen.map(({ number }) => number);
  const highest = Math.max(0, ...numbers);
  return {
    // Numbers are given in order and never taken back, where the list does not say how many there are.
    size: Math.max(page.size ?? highest, seen.length),
    lowest: numbers.length === 0 ? 0 : Math.min(...numbers),
    newest: seen.map(({ sight }) => sight),
    createdMs: seen.map(({ createdMs }) => createdMs),
  };
}

function feedSeen(
  page: Page,
  answer: BitbucketAnswer,
  facts: RepositoryFacts,
  asked: Asked,
): Exclude<RepositoryFacts['feed'], 'gone' | null> {
  const entries = readRecords(activitySchema, answer, page).records.map(({ value }) => value);
  const times = entries.flatMap((entry) => timeOf(entry) ?? []);
  const oldestMs = Math.min(...times);
  const whole = page.next === null;
  const since = asked.since.activity === null ? 0 : Date.parse(before(asked.since.activity, OVERLAP_MS));
  // An opening entry looks like a push, so openings are counted by the pull requests that began within the page.
  const opened = (facts.list?.createdMs ?? []).filter((createdMs) => createdMs >= oldestMs).length;
  return {
    ...kindsOf(entries),
    turns: opened + distinct(entries, closing),
    whole,
    entries: page.values.length,
    fresh: asked.since.activity === null ? page.values.length : times.filter((time) => time >= since).length,
    newest: times.length === 0 ? null : new Date(Math.max(...times)).toISOString(),
    oldest: times.length === 0 ? null : new Date(oldestMs).toISOString(),
  };
}

function kindsOf(
  entries: readonly ActivityEntry[],
): Pick<FeedSight, 'comments' | 'deletedComments' | 'votes'> {
  const comments = entries.flatMap((entry) => entry.comment ?? []);
  const deletedComments = comments.filter(({ deleted }) => deleted === true).length;
  return {
    comments: comments.length - deletedComments,
    deletedComments,
    votes: distinct(entries, voting),
  };
}

const voting = (entry: ActivityEntry): string | undefined => {
  const vote = entry.approval ?? entry.changes_requested;
  return vote === null ? undefined : `${String(entry.pull_request.id)}/${vote.user?.uuid ?? ''}`;
};

const closing = (entry: ActivityEntry): string | undefined => {
  const state = entry.update?.state ?? 'OPEN';
  return state === 'OPEN' ? undefined : String(entry.pull_request.id);
};

const distinct = (
  entries: readonly ActivityEntry[],
  key: (entry: ActivityEntry) => string | undefined,
): number => new Set(entries.flatMap((entry) => key(entry) ?? [])).size;

function timeOf(entry: ActivityEntry): number | undefined {
  const found = kindOf(entry);
  return found === undefined ? undefined : Date.parse(found.at);
}
