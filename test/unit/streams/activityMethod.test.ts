import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  chooseActivityMethod,
  pagesOf,
  requestsOf,
} from '../../../activities/pullRequests/activityMethod.ts';

const counts = fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 300 });
const toRead = (entries: number[], passed: number) => ({
  passed,
  entries: entries.reduce((sum, one) => sum + one, 0),
  ownPages: entries.reduce((sum, one) => sum + pagesOf(one), 0),
});

describe('feed or each', () => {
  test('never takes the dearer one', () => {
    fc.assert(
      fc.property(counts, fc.nat({ max: 100_000 }), (entries, passed) => {
        const input = toRead(entries, passed);
        const requests = requestsOf(input);
        expect(requests[chooseActivityMethod(input)]).toBe(Math.min(...Object.values(requests)));
      }),
    );
  });

  test('from its top the feed costs no more than each, whatever the pull requests are like', () => {
    fc.assert(
      fc.property(counts, (entries) => {
        expect(chooseActivityMethod(toRead(entries, 0))).toBe('feed');
      }),
    );
  });

  test('the more must be passed, the sooner each is asked', () => {
    fc.assert(
      fc.property(counts, fc.nat({ max: 50_000 }), fc.nat({ max: 50_000 }), (entries, passed, more) => {
        const first = chooseActivityMethod(toRead(entries, passed));
        if (first === 'per_pull_request') {
          expect(chooseActivityMethod(toRead(entries, passed + more))).toBe('per_pull_request');
        }
      }),
    );
  });

  test.each([
    ['5,000 pull requests from the top', Array<number>(5_000).fill(6), 0, 'feed'],
    ['1,700 left behind 400 pages', Array<number>(1_700).fill(6), 20_000, 'feed'],
    ['80 left behind 590 pages', Array<number>(80).fill(6), 29_500, 'per_pull_request'],
    ['three that changed in a giant repository, from the top', [6, 70, 3], 0, 'feed'],
  ] as const)('%s', (_, entries, passed, method) => {
    expect(chooseActivityMethod(toRead([...entries], passed))).toBe(method);
  });
});
