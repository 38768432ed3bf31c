import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Allowance } from '../../../forecast/allowance.ts';
import { expectedEnd, type Standing } from '../../../forecast/progress.ts';

const NOW = Date.UTC(2026, 10, 23, 12, 0);
const HOUR_MS = 3_600_000;
const standing = (change: Partial<Standing> = {}): Standing => ({
  requestsLeft: 600,
  requestsPerSecond: 5,
  repositories: 1,
  gitMs: 0,
  sharers: 1,
  ...change,
});
const allowance = (change: Partial<Allowance> = {}): Allowance => ({
  limit: 1_000,
  reserve: 30,
  used: 0,
  windowMs: HOUR_MS,
  blockedUntil: null,
  frees: [],
  ...change,
});
const inSeconds = (change: Partial<Standing>, of: Allowance | null): number =>
  ((expectedEnd(standing(change), of, NOW) ?? Number.NaN) - NOW) / 1_000;

describe('when an import ends', () => {
  test('without a limit: at the speed of the last minute', () => {
    expect(inSeconds({}, null)).toBe(120);
    expect(inSeconds({ requestsPerSecond: 10 }, null)).toBe(60);
    // 16 repositories at once are no faster than what was measured of them together.
    expect(inSeconds({ repositories: 40 }, null)).toBe(120);
  });

  test('is not known before it is known what is left', () => {
    expect(expectedEnd(standing({ requestsLeft: null }), allowance(), NOW)).toBeNull();
  });

  test('what the allowance does not hold waits until it comes free', () => {
    // As without one, and the last answer's own time.
    expect(inSeconds({}, allowance())).toBe(130);
    // 970 at once, the other 30 when the first of them leave the window.
    expect(inSeconds({ requestsLeft: 1_000 }, allowance())).toBeGreaterThan(3_600);
    // All used by others until half past.
    const used = allowance({
      used: 970,
      frees: [{ at: new Date(NOW + HOUR_MS / 2).toISOString(), requests: 970 }],
    });
    expect(inSeconds({}, used)).toBeGreaterThanOrEqual(1_800 + 120);
    const blocked = allowance({ blockedUntil: new Date(NOW + HOUR_MS).toISOString() });
    expect(inSeconds({}, blocked)).toBeGreaterThanOrEqual(3_600 + 120);
  });

  test('a wait says nothing about the speed', () => {
    expect(inSeconds({ requestsLeft: 10, requestsPerSecond: 0 }, null)).toBeLessThan(60);
    expect(inSeconds({ requestsLeft: 10, requestsPerSecond: 0.02 }, null)).toBeLessThanOrEqual(110);
  });

  test('git counts where it takes longer', () => {
    expect(inSeconds({ gitMs: 500_000 }, null)).toBeGreaterThanOrEqual(500);
  });

  test('is never before now, and never earlier for more work or more sharers', () => {
    fc.assert(
      fc.property(
        fc.nat(20_000),
        fc.nat(20_000),
        fc.integer({ min: 1, max: 20 }),
        fc.double({ min: 0, max: 50, noNaN: true }),
        fc.nat(970),
        (left, more, sharers, requestsPerSecond, used) => {
          const of = allowance({ used });
          const end = (requestsLeft: number, by: number): number =>
            inSeconds({ requestsLeft, requestsPerSecond, sharers: by }, of);
          expect(end(left, sharers)).toBeGreaterThanOrEqual(0);
          expect(end(left + more, sharers)).toBeGreaterThanOrEqual(end(left, sharers));
        },
      ),
    );
  });
});
