import { expect, test } from 'vitest';
import {
  effectiveIntervalMs,
  POLL_SHARE,
  pullRequestsBy,
  rotationBatch,
  rotationMs,
} from '../../../forecast/polling.ts';

const HOUR_MS = 3_600_000;
const QUARTER_MS = HOUR_MS / 4;

/** Rounds of so many requests without the rotation, until their interval does not move any more. */
function settle(repositories: number, base: number, limit: number) {
  let interval = QUARTER_MS;
  for (let round = 0; round < 100; round += 1) {
    const requests = base + rotationBatch({ repositories, sinceMs: interval, intervalMs: interval });
    interval = effectiveIntervalMs({
      intervalMs: QUARTER_MS,
      requests,
      requestsOfOthers: 0,
      limit,
      windowMs: HOUR_MS,
    });
  }
  return {
    interval,
    requests: base + rotationBatch({ repositories, sinceMs: interval, intervalMs: interval }),
  };
}

test('10,000 unchanged repositories of 200 authors: at most 320 requests a round, and 30 % of the allowance', () => {
  // One list of repositories, one request an author, two pages of members (on one round a day).
  const { interval, requests } = settle(10_000, 1 + 200 + 2, 1_000);
  expect(requests).toBeLessThanOrEqual(320);
  expect((requests * HOUR_MS) / interval).toBeLessThanOrEqual(POLL_SHARE * 1_000 + 1);
  expect(interval).toBeLessThan(HOUR_MS);
});

test.each([
  [1, 24],
  [2_000, 24],
  [2_001, 120],
  [10_000, 120],
])(
  'of %i repositories each has its turn within %i hours, however long the rounds lie apart',
  (repositories, hours) => {
    for (const sinceMs of [QUARTER_MS, HOUR_MS, 3 * HOUR_MS]) {
      const rounds = Math.floor((hours * HOUR_MS) / sinceMs);
      expect(rotationMs(repositories)).toBe(hours * HOUR_MS);
      expect(
        rounds * rotationBatch({ repositories, sinceMs, intervalMs: QUARTER_MS }),
      ).toBeGreaterThanOrEqual(repositories);
      expect(rotationBatch({ repositories, sinceMs, intervalMs: QUARTER_MS })).toBeLessThanOrEqual(
        repositories,
      );
    }
  },
);

test('behind a rest a round makes up for three hours of the rotation at most, or for one interval', () => {
  const batch = (sinceMs: number, intervalMs: number) =>
    rotationBatch({ repositories: 2_000, sinceMs, intervalMs });
  expect(batch(24 * HOUR_MS, QUARTER_MS)).toBe(250);
  expect(batch(24 * HOUR_MS, 6 * HOUR_MS)).toBe(500);
});

test('the interval stretches only where the share of the allowance is too small', () => {
  const given = { intervalMs: QUARTER_MS, windowMs: HOUR_MS, requestsOfOthers: 0 };
  expect(effectiveIntervalMs({ ...given, requests: 75, limit: 1_000 })).toBe(QUARTER_MS);
  expect(effectiveIntervalMs({ ...given, requests: 300, limit: 1_000 })).toBe(HOUR_MS);
  expect(effectiveIntervalMs({ ...given, requests: 300, limit: 10_000 })).toBe(QUARTER_MS);
  expect(effectiveIntervalMs({ ...given, requests: 9_999, limit: null })).toBe(QUARTER_MS);
});

test.each([[[300, 300]], [[10, 290, 150]], [[20, 20]]])(
  'integrations of one account that ask %j a round keep to the share together',
  (rounds) => {
    const spent = rounds.map((requests) => {
      const requestsOfOthers = rounds.reduce((sum, one) => sum + one, -requests);
      const given = { intervalMs: QUARTER_MS, windowMs: HOUR_MS, limit: 1_000 };
      return (requests * HOUR_MS) / effectiveIntervalMs({ ...given, requests, requestsOfOthers });
    });
    expect(spent.reduce((sum, one) => sum + one, 0)).toBeLessThanOrEqual(POLL_SHARE * 1_000);
  },
);

test('changed pull requests are asked for by whoever is fewer; without known authors by repository', () => {
  expect(pullRequestsBy({ authors: 200, repositories: 10_000 })).toBe('authors');
  expect(pullRequestsBy({ authors: 200, repositories: 200 })).toBe('repositories');
  expect(pullRequestsBy({ authors: 0, repositories: 7 })).toBe('repositories');
});
