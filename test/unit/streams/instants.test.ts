import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { before, canonicalInstant } from '../../../activities/streams/instants.ts';

describe('one spelling for one instant', () => {
  test.each([
    ['2026-10-07T18:39:55.551762+00:00', '2026-10-07T18:39:55.551762Z'],
    ['2026-10-07T18:39:55.551762Z', '2026-10-07T18:39:55.551762Z'],
    ['2026-10-07 18:39:55.551762+00', '2026-10-07T18:39:55.551762Z'],
    ['2026-10-07T20:39:55.55+02:00', '2026-10-07T18:39:55.550000Z'],
    ['2026-10-07T20:39:55.55+0200', '2026-10-07T18:39:55.550000Z'],
    ['2026-10-07T18:39:55', '2026-10-07T18:39:55.000000Z'],
    ['2026-10-07T18:39:55.551762999Z', '2026-10-07T18:39:55.551762Z'],
    ['yesterday', 'yesterday'],
    ['0001-01-01T00:00:00+01:00', '0001-01-01T00:00:00.000000Z'],
    ['9999-12-31T23:59:59-05:00', '9999-12-31T23:59:59.999999Z'],
    ['10000-01-01T04:59:59.000000Z', '9999-12-31T23:59:59.999999Z'],
  ])('%s', (text, expected) => {
    expect(canonicalInstant(text)).toBe(expected);
  });

  test('sorts by time and keeps every microsecond', () => {
    const micros = fc.integer({ min: 0, max: 999_999 });
    const second = fc.integer({ min: 0, max: 2_000_000_000 });
    fc.assert(
      fc.property(second, micros, second, micros, (s1, m1, s2, m2) => {
        const spell = (s: number, m: number) =>
          `${new Date(s * 1000).toISOString().slice(0, 19)}.${String(m).padStart(6, '0')}+00:00`;
        const [a, b] = [canonicalInstant(spell(s1, m1)), canonicalInstant(spell(s2, m2))];
        expect(a < b).toBe(s1 < s2 || (s1 === s2 && m1 < m2));
      }),
    );
  });

  test('an earlier instant, across a day', () => {
    expect(before('2026-03-01T00:01:00Z', 120_000)).toBe('2026-02-28T23:59:00.000000Z');
    expect(before('2026-03-01T00:01:00.0125Z', 1_000)).toBe('2026-03-01T00:00:59.012000Z');
  });

  test('none before the year 1, which Postgres does not know', () => {
    expect(before('0001-01-01T00:00:30Z', 60_000)).toBe('0001-01-01T00:00:00.000000Z');
  });
});
