import { describe, expect, test } from 'vitest';
import { factsSchema, type RepositoryFacts } from '../../../forecast/facts.ts';
import { estimateImport } from '../../../forecast/importEstimate.ts';
import { estimateRepository, type RepositorySituation } from '../../../forecast/repositoryEstimate.ts';
import { SERVICES } from '../../../workflows/words.ts';

const sight = { comments: 2, votes: 1, closed: true };
const facts = (given: Partial<RepositoryFacts> = {}): RepositoryFacts => ({
  ...factsSchema.parse({}),
  list: { size: 30, lowest: 1, newest: Array.from({ length: 30 }, () => sight), createdMs: [] },
  feed: {
    whole: false,
    entries: 50,
    comments: 20,
    deletedComments: 0,
    votes: 10,
    turns: 20,
    fresh: 50,
    newest: '2026-11-25T00:00:00.000Z',
    oldest: '2026-11-20T00:00:00.000Z',
  },
  ...given,
});
const situation = (given: Partial<RepositorySituation> = {}): RepositorySituation => ({
  services: SERVICES,
  commitSource: 'git',
  sizeBytes: 4_000_000,
  hasIssues: null,
  since: null,
  foundEmpty: [],
  trackersGone: false,
  otherFeeds: [],
  knownDensity: null,
  ...given,
});
const requestsOf = (given: RepositoryFacts, around: Partial<RepositorySituation> = {}) =>
  Object.fromEntries(
    estimateRepository(given, situation(around)).map(({ stream, requests }) => [stream, requests.expected]),
  );

describe('the requests of a repository', () => {
  test('of a first import are its pages', () => {
    // 150 entries are due, and a few more
    expect(requestsOf(facts({ tickets: 5 }))).toEqual({
      refs: 0,
      commits: 0,
      pull_requests: 1,
      pull_request_activity: 4,
      pull_request_comments: 0,
      tickets: 1,
      // two more where a list is empty
      ticket_comments: 8,
      ticket_changes: 8,
    });
  });

  test('with commits over the API are a hundred commits each, and a look at branches and tags', () => {
    const streams = estimateRepository(
      facts(),
      situation({ commitSource: 'api', services: ['repositories'] }),
    );
    const [refs, commits] = streams;
    expect(refs).toMatchObject({ stream: 'refs', requests: { low: 2, expected: 2 } });
    expect(commits?.requests.expected).toBe(Math.ceil(commits!.records.expected / 100));
    expect(commits?.requests.high).toBe(Math.ceil(commits!.records.high / 100));
    expect(commits?.requests.basis).toBe('repository_size');
  });

  test('where the host has no trackers any more is one to find that out', () => {
    expect(requestsOf(facts({ tickets: 'gone' }))).toMatchObject({ tickets: 1, ticket_comments: 0 });
    expect(requestsOf(facts(), { trackersGone: true })).toMatchObject({ tickets: 1, ticket_changes: 0 });
    expect(requestsOf(facts(), { hasIssues: false })).toMatchObject({ tickets: 0 });
  });

  test('of what changed are few: the list, the feed down to the watermark, the comments of what changed', () => {
    const since = '2026-11-24T00:00:00.000Z';
    const changed = facts({
      list: { size: 2, lowest: 1, newest: [sight, { ...sight, comments: 0 }], createdMs: [] },
    });
    const feed = { ...(changed.feed as Exclude<RepositoryFacts['feed'], 'gone' | null>), fresh: 6 };
    expect(requestsOf({ ...changed, feed, tickets: 0 }, { since })).toMatchObject({
      pull_requests: 1,
      pull_request_activity: 1,
      pull_request_comments: 1,
      tickets: 1,
    });
    // five days of the page's pace for 50 entries, one for each of the fifty days
    expect(requestsOf(changed, { since: '2026-10-06T00:00:00.000Z' })).toMatchObject({
      pull_request_activity: 10,
    });
  });
});

test('rows of commits are a wide range, narrower by what was imported before', () => {
  const commitsOf = (around: Partial<RepositorySituation>) =>
    estimateRepository(facts(), situation(around)).find(({ stream }) => stream === 'commits')!.records;
  const any = commitsOf({});
  const known = commitsOf({ knownDensity: { fewBytes: 3_000, bytes: 4_000, manyBytes: 5_000 } });
  expect(any.basis).toBe('repository_size');
  expect(known.basis).toBe('imported_repositories');
  expect(known.high - known.low).toBeLessThan((any.high - any.low) / 3);
});

test('a repository that cannot be imported takes nothing, and the others are counted', () => {
  const streams = estimateRepository(facts({ tickets: 'gone' }), situation());
  const around = { repositories: 2, allowance: null, sharers: 1, tookMs: [100], nowMs: 0 };
  const one = { stratum: 0, weight: 1, sizeBytes: null };
  const both = estimateImport(
    [
      { ...one, streams },
      { ...one, stratum: 1, streams: null },
    ],
    around,
  );
  expect(both.requests.expected).toBe(6);
  expect(estimateImport([{ ...one, streams: null }], around).requests.expected).toBe(0);
});
