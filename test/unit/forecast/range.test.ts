import { expect, test } from 'vitest';
import { exactly, leastSure, type Range, rounded, sharpen, sum } from '../../../forecast/range.ts';

const about: Range = { low: 800, expected: 1_000, high: 1_400, basis: 'pull_requests' };

test('errors of several repositories partly cancel', () => {
  const total = sum([about, about, about, about]);
  expect(total).toEqual({ low: 3_600, expected: 4_000, high: 4_800, basis: 'pull_requests' });
});

test('a sum is known as well as its least sure part', () => {
  expect(sum([exactly(3), exactly(4, 'listed'), about]).basis).toBe('pull_requests');
  expect(leastSure([])).toBe('counted');
});

test('bounds are rounded outwards', () => {
  expect(rounded({ low: 1.7, expected: 2.4, high: 3.1, basis: 'counted' })).toMatchObject({
    low: 1,
    expected: 2,
    high: 4,
  });
});

test('what an import knows by now makes its estimate sharper', () => {
  expect(sharpen(about, { stored: 850, ended: false })).toEqual({ ...about, low: 850 });
  expect(sharpen(about, { stored: 1_500, ended: false })).toEqual({
    low: 1_500,
    expected: 1_500,
    high: 1_500,
    basis: 'pull_requests',
  });
  expect(sharpen(about, { stored: 10, total: 1_234, ended: false })).toEqual(exactly(1_234, 'listed'));
  expect(sharpen(about, { stored: 1_190, total: 1_234, ended: true })).toEqual(exactly(1_190));
});
