import { describe, expect, test } from 'vitest';
import {
  aheadInFeed,
  aheadOfTickets,
  aheadOneByOne,
  aheadToTime,
  type FeedToWalk,
} from '../../../forecast/ahead.ts';
import { seededRandom } from '../../support/seededRandom.ts';

interface Entry {
  at: number;
}

/** One a day. */
const opened = (pullRequests: number): number[] =>
  Array.from({ length: 21 }, (_, part) => 1 + (part * (pullRequests - 1)) / 20);

/**
 * A feed, newest first: each pull request has six entries on average, one in a hundred over sixty, in the days after it was
 * opened; of them those that its own row does not tell of are one in thirteen.
 */
function feedOf(pullRequests: number, seed = 5): { entries: Entry[]; toWalk: FeedToWalk } {
  const random = seededRandom(seed);
  const entries: Entry[] = [];
  let due = 0;
  for (let number = 1; number <= pullRequests; number += 1) {
    const own = number % 100 === 7 ? 65 : 2 + Math.floor(random() * 7.9);
    due += own / 1.08;
    entries.push({ at: number });
    for (let more = 1; more < own; more += 1) entries.push({ at: number + random() * 40 });
  }
  // What is to happen yet does not show.
  const shown = entries.filter(({ at }) => at <= pullRequests);
  due = (due * shown.length) / entries.length;
  return {
    entries: shown.toSorted((one, other) => other.at - one.at),
    toWalk: { due, opened: opened(pullRequests) },
  };
}

/** Requests that are left by the walk, behind each of its pages. */
function walked({
  entries,
  toWalk,
}: ReturnType<typeof feedOf>): { page: number; left: number; told: number }[] {
  const pages = Math.ceil(entries.length / 50);
  return Array.from({ length: pages }, (_, page) => {
    const shown = entries.slice(page * 50, (page + 1) * 50);
    const oldest = Math.min(...shown.map(({ at }) => at));
    const { requests } = aheadInFeed(toWalk, { entries: page * 50 + shown.length, oldest });
    return { page, left: pages - page - 1, told: requests };
  });
}

describe('the rest of a walk of the feed', () => {
  const feed = feedOf(5_000);
  const pages = Math.ceil(feed.entries.length / 50);

  test('is what the pull requests tell of, before the first page', () => {
    const { requests } = aheadInFeed(feed.toWalk, { entries: 0, oldest: null });
    expect(pages).toBeGreaterThan(600);
    expect(Math.abs(requests - pages)).toBeLessThan(0.05 * pages);
  });

  test('is known within a tenth of all behind every page', () => {
    for (const { page, left, told } of walked(feed)) {
      expect(
        Math.abs(told - left),
        `page ${String(page)}: ${String(told)} told, ${String(left)} left`,
      ).toBeLessThan(0.06 * pages);
    }
  });

  test('follows the entries that were met where there are more than the pull requests tell of', () => {
    const half = { due: feed.toWalk.due / 2, opened: feed.toWalk.opened };
    const at = walked({ entries: feed.entries, toWalk: half });
    const middle = at[Math.floor(pages / 2)]!;
    expect(Math.abs(middle.told - middle.left)).toBeLessThan(0.1 * pages);
  });

  test('of a feed without anything is nothing', () => {
    const nothing = aheadInFeed({ due: 0, opened: [] }, { entries: 0, oldest: null });
    expect(nothing).toEqual({ requests: 0, records: { low: 0, expected: 0, high: 0 } });
  });

  test('has bounds around it', () => {
    const { records } = aheadInFeed({ due: 1_000, opened: opened(200) }, { entries: 0, oldest: null });
    expect(records!.expected).toBeCloseTo(1_080);
    expect(records!.low).toBeLessThan(1_000);
    expect(records!.high).toBeGreaterThan(1_200);
  });
});

test('a feed that is read down to a time is a page at first, then as long as its pace says', () => {
  const times = { began: 1_000, until: 0 };
  expect(aheadToTime({ ...times, oldest: null }, 0).requests).toBe(1);
  const { requests, records } = aheadToTime({ ...times, oldest: 900 }, 500);
  expect(requests).toBe(90);
  expect(records).toMatchObject({ low: 0 });
  expect(aheadToTime({ ...times, oldest: -5 }, 5_000).requests).toBe(0);
});

test('pull requests that are asked one by one take a request for each page of their own', () => {
  const all = { pages: 5_050, due: 28_000 };
  expect(aheadOneByOne(all, 0)).toMatchObject({ requests: 5_050 });
  expect(aheadOneByOne(all, 2_525).records!.expected).toBeCloseTo(14_000 * 1.08);
  expect(aheadOneByOne(all, 6_000)).toMatchObject({ requests: 0, records: { expected: 0 } });
  expect(aheadOneByOne({ pages: 0, due: 0 }, 0).requests).toBe(0);
});

test('tickets are asked more than once where their lists are empty', () => {
  expect(aheadOfTickets(200)).toEqual({ requests: 300, records: null });
  expect(aheadOfTickets(0).requests).toBe(0);
});
