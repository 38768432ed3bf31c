import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type ImportSize, requestsOf, totalOf } from '../../../forecast/requests.ts';
import { SERVICES } from '../../../workflows/words.ts';

const empty: ImportSize = {
  history: null,
  pullRequests: 0,
  activity: 0,
  feedGone: false,
  ownActivity: 0,
  ownComments: 0,
  tracker: 'known_off',
  tickets: 0,
  commentRequests: 0,
  changeRequests: 0,
  whole: true,
  foundEmpty: [],
};
const pullRequestsOnly = { services: ['repositories', 'pull_requests'] } as const;
const total = (size: Partial<ImportSize>, services: Parameters<typeof requestsOf>[1] = pullRequestsOnly) =>
  totalOf(requestsOf({ ...empty, ...size }, services));

test('a repository of one page asks once for each list', () => {
  expect(requestsOf({ ...empty, pullRequests: 50, activity: 50 }, pullRequestsOnly)).toMatchObject({
    pull_requests: 1,
    pull_request_activity: 1,
    pull_request_comments: 0,
    tickets: 0,
  });
});

test('an empty repository is believed at the third empty answer, a tracker at the fourth, and nothing is asked about its activity', () => {
  expect(total({})).toBe(3);
  expect(total({ whole: false })).toBe(2);
  const services = { services: ['pull_requests', 'tickets'] } as const;
  expect(total({ tracker: 'alive' }, services)).toBe(7);
  const before = { foundEmpty: ['pull_requests', 'tickets'] } as const;
  expect(total({ tracker: 'alive', ...before }, services)).toBe(2);
});

test('what takes more requests than a quick walk is closed by a round over its lists', () => {
  expect(total({ pullRequests: 600, activity: 650 })).toBe(12 + 13);
  expect(total({ pullRequests: 650, activity: 650 })).toBe(13 + 13 + 2);
});

test('listed commits are a hundred a request, refs two lists; no refs are believed at the second look', () => {
  const only = { services: ['repositories'] } as const;
  const history = (refs: number, commits: number, tagless = false) => ({
    history: { refs, commits, tagless },
  });
  expect(requestsOf({ ...empty, ...history(12, 450) }, only)).toMatchObject({ refs: 2, commits: 5 });
  expect(total(history(12, 450, true), only)).toBe(8);
  expect(total(history(0, 0), only)).toBe(4);
  expect(total({ ...history(12, 0), whole: false }, only)).toBe(2);
  expect(total(history(250, 20_000), only)).toBe(4 + 200 + 4);
  expect(total({ pullRequests: 40, activity: 90, ...history(12, 450) }, pullRequestsOnly)).toBe(3 + 7);
});

test('without the service, or with git alone, nothing is asked', () => {
  expect(total({ pullRequests: 500, activity: 900, tickets: 9 }, { services: ['repositories'] })).toBe(0);
  expect(total({ pullRequests: 500, activity: 900 }, { services: ['tickets'] })).toBe(0);
});

test('a tracker that is refused costs one request, one that is known to be off none', () => {
  const services = { services: ['tickets'] } as const;
  expect(total({ tracker: 'refused' }, services)).toBe(1);
  expect(total({ tracker: 'known_off' }, services)).toBe(0);
  expect(total({ tracker: 'alive', tickets: 10, commentRequests: 10, changeRequests: 10 }, services)).toBe(
    21,
  );
  expect(total({ tracker: 'alive' }, services)).toBe(4);
});

test('a feed that cannot be had is asked once, then each pull request for itself', () => {
  expect(requestsOf({ ...empty, pullRequests: 40, feedGone: true }, pullRequestsOnly)).toMatchObject({
    pull_request_activity: 1 + 40 + 1,
  });
});

const size = fc.record({
  history: fc.option(
    fc.record({ refs: fc.integer({ min: 1, max: 20_000 }), commits: fc.nat(100_000), tagless: fc.boolean() }),
  ),
  pullRequests: fc.nat(30_000),
  activity: fc.nat(200_000),
  feedGone: fc.boolean(),
  ownActivity: fc.nat(300),
  ownComments: fc.nat(300),
  tracker: fc.constantFrom('alive' as const, 'refused' as const, 'known_off' as const),
  tickets: fc.nat(3_000),
  commentRequests: fc.nat(3_000),
  changeRequests: fc.nat(3_000),
  whole: fc.boolean(),
  foundEmpty: fc.constant([]),
});

test('more of anything never takes fewer requests', () => {
  const growing = [
    'pullRequests',
    'activity',
    'ownActivity',
    'ownComments',
    'tickets',
    'commentRequests',
    'changeRequests',
  ] as const;
  fc.assert(
    fc.property(
      size,
      fc.constantFrom(...growing),
      fc.integer({ min: 1, max: 500 }),
      fc.subarray([...SERVICES]),
      (before, what, more, services) => {
        // Empty lists are asked for again: a first record may save a request.
        fc.pre(before[what] > 0);
        const after = { ...before, [what]: before[what] + more };
        const [less, more2] = [before, after].map((given) => totalOf(requestsOf(given, { services })));
        expect(more2).toBeGreaterThanOrEqual(less!);
      },
    ),
  );
});

test('every record of a list is on one of its pages', () => {
  fc.assert(
    fc.property(size, (given) => {
      const counts = requestsOf({ ...given, feedGone: false }, { services: SERVICES });
      expect(counts.pull_requests * 50).toBeGreaterThanOrEqual(given.pullRequests);
      if (given.pullRequests > 0)
        expect(counts.pull_request_activity * 50).toBeGreaterThanOrEqual(given.activity);
      expect(counts.commits * 100).toBeGreaterThanOrEqual(given.history?.commits ?? 0);
      expect(counts.refs * 100).toBeGreaterThanOrEqual(given.history?.refs ?? 0);
      if (given.tracker === 'alive') expect(counts.tickets * 100).toBeGreaterThanOrEqual(given.tickets);
    }),
  );
});
