import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { estimateActivity, type FeedSight, type PullRequestSight } from '../../../forecast/activity.ts';

const sight = (given: Partial<PullRequestSight> = {}): PullRequestSight => ({
  comments: 2,
  votes: 1,
  closed: true,
  ...given,
});
const many = (count: number, given: Partial<PullRequestSight> = {}): PullRequestSight[] =>
  Array.from({ length: count }, () => sight(given));
const feed = (given: Partial<FeedSight> = {}): FeedSight => ({
  whole: false,
  entries: 50,
  comments: 20,
  deletedComments: 0,
  votes: 10,
  turns: 20,
  ...given,
});

describe('the activity of a repository', () => {
  test('is what the feed shows where one page holds it all', () => {
    const { entries, comments } = estimateActivity([{ total: 9, seen: many(9) }], {
      own: feed({ whole: true, entries: 31, comments: 11, deletedComments: 2 }),
      others: [],
    });
    expect(entries).toEqual({ low: 31, expected: 31, high: 31, basis: 'counted' });
    expect(comments).toEqual({ low: 13, expected: 13, high: 13, basis: 'counted' });
  });

  test('follows from what each pull request must have left, and from how much else the feed shows', () => {
    // 5 entries are due for each: opened, closed, two comments, one vote
    const strata = [{ total: 100, seen: many(100) }];
    const plain = estimateActivity(strata, { own: feed(), others: [] });
    expect(plain.entries.expected).toBeGreaterThan(500);
    expect(plain.entries.expected).toBeLessThan(515);
    const busy = estimateActivity(strata, {
      own: feed({ comments: 10, votes: 5, turns: 10 }),
      others: [],
    });
    expect(busy.entries.expected).toBeGreaterThan(800);
    expect(busy.entries.high).toBeGreaterThan(1_000);
  });

  test('of pull requests that are not seen is as of those that are, open and closed ones apart', () => {
    const newest = many(50, { closed: false, comments: 0, votes: 0 });
    const spread = many(50, { closed: true, comments: 4, votes: 1 });
    const { entries } = estimateActivity(
      [
        { total: 50, seen: newest },
        { total: 1_000, seen: spread },
      ],
      { own: null, others: [] },
    );
    // 50 open ones with one entry, 1,000 closed ones with seven
    expect(entries.expected / 1.08).toBeCloseTo(7_050, -2);
    expect(entries.high).toBeGreaterThan(7_050 * 1.08);
  });

  test('takes the pace of other repositories where its own feed was not asked for', () => {
    const strata = [{ total: 100, seen: many(100) }];
    const busy = feed({ comments: 5, votes: 5, turns: 10 });
    const alone = estimateActivity(strata, { own: null, others: [] });
    const told = estimateActivity(strata, { own: null, others: [busy, busy] });
    expect(told.entries.expected).toBeGreaterThan(1.5 * alone.entries.expected);
  });

  test('is uncertain by long discussions that are too rare to be in the sample', () => {
    const strata = [{ total: 1_000, seen: many(50) }];
    const { entries } = estimateActivity(strata, { own: feed(), others: [] });
    expect(entries.high - entries.expected).toBeGreaterThan((60 * 950) / 50);
    const counted = estimateActivity([{ total: 50, seen: many(50) }], { own: feed(), others: [] });
    expect(counted.entries.high / counted.entries.expected).toBeLessThan(1.2);
  });
});

const sights = fc.array(fc.record({ comments: fc.nat(70), votes: fc.nat(6), closed: fc.boolean() }), {
  minLength: 1,
  maxLength: 50,
});

test('bounds enclose the guess, and what was seen is in it', () => {
  fc.assert(
    fc.property(
      sights,
      sights,
      fc.nat(5_000),
      fc.option(fc.nat(40), { nil: null }),
      (newest, spread, more, others) => {
        const own = others === null ? null : feed({ comments: 0, votes: 0, turns: 50 - others });
        const { entries, comments, commented } = estimateActivity(
          [
            { total: newest.length, seen: newest },
            { total: spread.length + more, seen: spread },
          ],
          { own, others: [] },
        );
        for (const { low, expected, high } of [entries, comments]) {
          expect(low).toBeLessThanOrEqual(expected + 1e-6);
          expect(expected).toBeLessThanOrEqual(high + 1e-6);
          expect(low).toBeGreaterThanOrEqual(0);
        }
        const all = newest.length + spread.length + more;
        expect(entries.expected).toBeGreaterThanOrEqual(all * 0.99);
        expect(commented).toBeLessThanOrEqual(all + 1e-6);
      },
    ),
  );
});
