import { describe, expect, test } from 'vitest';
import { canonical, instant } from '../../../scripts/oracle/canonical.ts';
import {
  compareRecords,
  describeDifferences,
  isExact,
  noDifferences,
} from '../../../scripts/oracle/compare.ts';

const pullRequest = (key: string, title: string, updatedOn = '2026-01-01T00:00:00.000000Z') =>
  canonical('pull_request', key, { title }, updatedOn);

function compare(truth: ReturnType<typeof pullRequest>[], stored: ReturnType<typeof pullRequest>[]) {
  const total = noDifferences();
  compareRecords(total, { repository: 'acme/api', kind: 'pull_request' }, truth, stored);
  return total;
}

describe('what the oracle says of', () => {
  const truth = [pullRequest('1', 'one'), pullRequest('2', 'two')];

  test('equal sides, in any order', () => {
    const found = compare(truth, truth.toReversed());
    expect(describeDifferences(found)).toBe('lost=0 extra=0 stale=0 duplicated=0 corrupted=0');
    expect([isExact(found), found.records]).toEqual([true, 2]);
  });

  test.each([
    ['a missing record', [pullRequest('1', 'one')], { lost: 1 }],
    ['a record the source never had', [...truth, pullRequest('3', 'x')], { extra: 1 }],
    ['a record stored twice', [...truth, pullRequest('2', 'two')], { duplicated: 1 }],
    ['one stored twice, differently', [...truth, pullRequest('2', 'tow')], { duplicated: 1 }],
    ['another content', [pullRequest('1', 'one'), pullRequest('2', 'tow')], { corrupted: 1 }],
    [
      'an older content',
      [pullRequest('1', 'one'), pullRequest('2', 'old', '2025-01-01T00:00:00.000000Z')],
      { stale: 1 },
    ],
    ['nothing stored at all', [], { lost: 2 }],
  ] as const)('%s', (_, stored, expected) => {
    const found = compare(truth, [...stored]);
    expect(found).toMatchObject({ lost: 0, extra: 0, stale: 0, duplicated: 0, corrupted: 0, ...expected });
    expect(isExact(found)).toBe(false);
    expect(found.examples.length).toBeGreaterThan(0);
  });

  test('texts that look alike and are not', () => {
    expect(compare([pullRequest('1', '\u00e9')], [pullRequest('1', 'e\u0301')]).corrupted).toBe(1);
  });
});

test('a timestamp of either side has one form, and keeps its microseconds', () => {
  expect(instant('2026-10-07T18:39:55.551762+00:00')).toBe('2026-10-07T18:39:55.551762Z');
  expect(instant('2026-10-07 18:39:55.551762+00')).toBe('2026-10-07T18:39:55.551762Z');
  expect(instant('2026-10-07 18:39:55.5+00')).toBe('2026-10-07T18:39:55.500000Z');
  expect(instant(null)).toBeNull();
  expect(() => instant('2026-10-07T18:39:55+02:00')).toThrow(/Not a UTC timestamp/);
});

test('the order of fields and absent fields make no difference', () => {
  expect(canonical('tag', 'x', { b: { d: 1, c: null }, a: undefined }).content).toBe(
    canonical('tag', 'x', { b: { c: undefined, d: 1 } }).content,
  );
});
