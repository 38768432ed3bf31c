import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Allowance, endOf, type Work } from '../../../forecast/allowance.ts';

const NOW = Date.parse('2026-11-25T12:00:00Z');
const HOUR = 3_600_000;
const at = (ms: number): string => new Date(NOW + ms).toISOString();
const work = (given: Partial<Work>): Work => ({
  requests: 100,
  repositories: 1,
  requestMs: 400,
  gitMs: 0,
  sharers: 1,
  ...given,
});
const hourly = (given: Partial<Allowance> = {}): Allowance => ({
  limit: 1_000,
  reserve: 30,
  used: 0,
  windowMs: HOUR,
  blockedUntil: null,
  frees: [],
  ...given,
});
/** hours from now until the work ends */
const hours = (given: Partial<Work>, allowance: Allowance | null): number =>
  (endOf(work(given), allowance, NOW) - NOW) / HOUR;

describe('the end of an import', () => {
  test('is as far as answers come where the allowance is not the limit', () => {
    expect(hours({ requests: 700 }, hourly()) * 3_600).toBeCloseTo(700 * 0.4, 0);
    expect(hours({ requests: 5_000 }, null) * 3_600).toBeCloseTo(5_000 * 0.4, 0);
    expect(hours({ requests: 700, repositories: 40 }, hourly()) * 3_600).toBeCloseTo((700 * 0.4) / 16, 0);
  });

  test('waits a window for each that is full: 970 of 1,000 an hour, 30 are kept', () => {
    expect(hours({ requests: 970 }, hourly())).toBeLessThan(0.2);
    expect(hours({ requests: 980 }, hourly())).toBeCloseTo(1, 1);
    expect(hours({ requests: 10_000 }, hourly())).toBeCloseTo(10.1, 0);
  });

  test('begins with what is free now, and goes on as the used ones leave the window', () => {
    const allowance = hourly({
      used: 970,
      frees: [
        { at: at(0.5 * HOUR), requests: 70 },
        { at: at(0.75 * HOUR), requests: 900 },
      ],
    });
    expect(hours({ requests: 60 }, allowance)).toBeCloseTo(0.51, 1);
    expect(hours({ requests: 80 }, allowance)).toBeCloseTo(0.75, 1);
  });

  test('is behind the time before which Bitbucket takes nothing', () => {
    const blockedUntil = at(2 * HOUR);
    expect(hours({ requests: 1 }, hourly({ blockedUntil }))).toBeGreaterThanOrEqual(2);
    expect(hours({ requests: 1 }, hourly({ blockedUntil, limit: null }))).toBeGreaterThanOrEqual(2);
  });

  test('is later where others share the allowance', () => {
    const alone = hours({ requests: 5_000 }, hourly());
    expect(hours({ requests: 5_000, sharers: 2 }, hourly()) / alone).toBeCloseTo(2, 0);
  });

  test('of used ones that nobody says when they leave is that they leave with the window', () => {
    expect(hours({ requests: 10 }, hourly({ used: 970 }))).toBeCloseTo(1, 1);
  });

  test('what is used beyond what may be used frees nothing', () => {
    const allowance = hourly({
      used: 1_000,
      frees: [
        { at: at(0.1 * HOUR), requests: 30 },
        { at: at(0.6 * HOUR), requests: 970 },
      ],
    });
    expect(hours({ requests: 1 }, allowance)).toBeCloseTo(0.6, 1);
  });
});

const allowances = fc
  .record({
    limit: fc.integer({ min: 10, max: 2_000 }),
    used: fc.nat(2_500),
    blocked: fc.option(fc.integer({ min: -HOUR, max: HOUR }), { nil: null }),
    leaving: fc.array(fc.record({ ms: fc.integer({ min: 0, max: HOUR }), requests: fc.nat(400) }), {
      maxLength: 8,
    }),
  })
  .map(({ limit, used, blocked, leaving }) =>
    hourly({
      limit,
      reserve: Math.ceil(limit * 0.03),
      used,
      blockedUntil: blocked === null ? null : at(blocked),
      frees: leaving.map(({ ms, requests }) => ({ at: at(ms), requests })),
    }),
  );

test('comes to an end, later for more requests, and never makes more than the window holds', () => {
  fc.assert(
    fc.property(
      allowances,
      fc.nat(4_000),
      fc.integer({ min: 0, max: 500 }),
      fc.integer({ min: 1, max: 6 }),
      (allowance, requests, more, sharers) => {
        const end = endOf(work({ requests, sharers, requestMs: 1 }), allowance, NOW);
        const later = endOf(work({ requests: requests + more, sharers, requestMs: 1 }), allowance, NOW);
        expect(end).toBeGreaterThanOrEqual(NOW);
        expect(later).toBeGreaterThanOrEqual(end - 1);
        // A work of n windows takes at least n - 1 of them, less what was free at the start.
        const windows = requests / ((allowance.limit! - allowance.reserve) / sharers);
        expect(end - NOW).toBeGreaterThanOrEqual((Math.floor(windows) - 2) * HOUR);
        expect(end - NOW).toBeLessThanOrEqual((Math.ceil(windows) + 3) * (HOUR + 20_000) + HOUR);
      },
    ),
    { numRuns: 200 },
  );
});
