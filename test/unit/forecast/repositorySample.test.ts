import fc from 'fast-check';
import { expect, test } from 'vitest';
import { exactly } from '../../../forecast/range.ts';
import { extrapolate, sampleRepositories } from '../../../forecast/repositorySample.ts';

const chosen = fc.uniqueArray(
  fc.record({ id: fc.uuid(), sizeBytes: fc.option(fc.nat(10 ** 9), { nil: null }) }),
  { selector: ({ id }) => id, minLength: 1, maxLength: 400 },
);

test('no more than allowed are asked about, each once, and they stand for all', () => {
  fc.assert(
    fc.property(chosen, fc.integer({ min: 3, max: 40 }), (repositories, limit) => {
      const sampled = sampleRepositories(repositories, limit);
      expect(sampled.length).toBe(Math.min(limit, repositories.length));
      expect(new Set(sampled.map(({ id }) => id)).size).toBe(sampled.length);
      const weight = sampled.reduce((total, one) => total + one.weight, 0);
      expect(weight).toBeCloseTo(repositories.length, 6);
      for (const one of sampled) expect(one.weight).toBeGreaterThanOrEqual(1);
    }),
  );
});

test('the same choice gives the same sample, in whatever order it comes', () => {
  fc.assert(
    fc.property(chosen, (repositories) => {
      expect(sampleRepositories(repositories.toReversed(), 12)).toEqual(sampleRepositories(repositories, 12));
    }),
  );
});

test('the largest are always asked about', () => {
  const repositories = Array.from({ length: 200 }, (_, index) => ({
    id: `repository-${String(index)}`,
    sizeBytes: index * 1_000,
  }));
  const sampled = sampleRepositories(repositories, 30);
  for (let index = 190; index < 200; index += 1) {
    expect(sampled).toContainEqual(expect.objectContaining({ id: `repository-${String(index)}`, weight: 1 }));
  }
});

test('a total over many comes from the few, and says how unsure that is', () => {
  const same = [1, 2].map(() => ({ stratum: 1, weight: 50, value: exactly(4) }));
  expect(extrapolate(same)).toMatchObject({
    low: 400,
    expected: 400,
    high: 400,
    basis: 'sampled_repositories',
  });
  const apart = [1, 7].map((value) => ({ stratum: 1, weight: 50, value: exactly(value) }));
  const { low, expected, high } = extrapolate(apart);
  expect(expected).toBe(400);
  expect(low).toBeLessThan(100);
  expect(high).toBeGreaterThan(700);
});

test('where all were asked about, nothing is extrapolated', () => {
  const all = [3, 9].map((value, stratum) => ({ stratum, weight: 1, value: exactly(value) }));
  expect(extrapolate(all)).toEqual({ low: 12, expected: 12, high: 12, basis: 'counted' });
});

test('the true total of many repositories lies within the bounds in nearly nine worlds of ten', () => {
  let within = 0;
  const worlds = 200;
  for (let world = 0; world < worlds; world += 1) {
    const requestsOf = (index: number): number => 3 + (((index * 7_919 + world * 104_729) % 97) % 23);
    const repositories = Array.from({ length: 500 }, (_, index) => ({
      id: `${String(world)}-${String(index)}`,
      sizeBytes: requestsOf(index) * 1_000 + ((index * 31) % 3_000),
      requests: requestsOf(index),
    }));
    const sampled = sampleRepositories(repositories, 30);
    const byId = new Map(repositories.map((one) => [one.id, one.requests]));
    const { low, high } = extrapolate(
      sampled.map(({ id, ...one }) => ({ ...one, value: exactly(byId.get(id)!) })),
    );
    const truth = repositories.reduce((total, one) => total + one.requests, 0);
    if (low <= truth && truth <= high) within += 1;
  }
  expect(within).toBeGreaterThanOrEqual(0.85 * worlds);
});
