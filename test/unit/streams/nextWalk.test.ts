import { describe, expect, test } from 'vitest';
import type { BitbucketAnswer } from '../../../activities/bitbucket/client.ts';
import { InvalidResponse } from '../../../activities/bitbucket/errors.ts';
import { createNextGuard } from '../../../activities/streams/nextWalk.ts';

const answer = (next?: string): BitbucketAnswer => ({
  status: 200,
  json: { values: [], ...(next === undefined ? {} : { next }) },
  bytes: new Uint8Array(),
  observedAt: '2026-11-01T12:00:00Z',
  date: undefined,
  scopes: {},
});

/** Follows a list until it ends or is found endless; how many pages were read. */
function follow(
  nextOf: (url: string | null) => string | undefined,
  most = 500,
): { pages: number; endless: boolean } {
  const guard = createNextGuard();
  let next: string | null = null;
  for (let pages = 0; pages < most; pages += 1) {
    try {
      next = guard('list', answer(nextOf(next)), { next, pages }).next;
    } catch (error) {
      if (error instanceof InvalidResponse) return { pages, endless: true };
      throw error;
    }
    if (next === null) return { pages: pages + 1, endless: false };
  }
  return { pages: most, endless: false };
}

describe('a list that goes on by next', () => {
  test('numbered pages and opaque tokens are followed to the end', () => {
    const numbered = (url: string | null) => {
      const page = url === null ? 1 : Number(url.slice('/x?page='.length));
      return page === 30 ? undefined : `/x?page=${String(page + 1)}`;
    };
    expect(follow(numbered)).toEqual({ pages: 30, endless: false });
    const tokens = new Map<string | null, string>([
      [null, '/x?page=8xhd'],
      ['/x?page=8xhd', '/x?page=1abc'],
    ]);
    expect(follow((url) => tokens.get(url))).toEqual({ pages: 3, endless: false });
  });

  test.each([
    ['its own page', (url: string | null) => url ?? '/x?ctx=a'],
    ['a circle of two', (url: string | null) => (url === '/x?ctx=a' ? '/x?ctx=b' : '/x?ctx=a')],
    [
      'an earlier number',
      (url: string | null) => (url === '/x?page=3' ? '/x?page=2' : url === null ? '/x?page=2' : '/x?page=3'),
    ],
  ])('%s is noticed at most two pages later', (_, nextOf) => {
    const { pages, endless } = follow(nextOf);
    expect(endless).toBe(true);
    expect(pages).toBeLessThanOrEqual(4);
  });

  test.each([
    ['numbers that rise', (page: number) => `/x?page=${String(page)}`],
    ['tokens that never come again', (page: number) => `/x?ctx=${page.toString(36)}g`],
  ])('%s without an end are followed no further than any list is long', (_, urlOf) => {
    let page = 1;
    const { pages, endless } = follow(() => urlOf((page += 1)), 1_000_000);
    expect(endless).toBe(true);
    // What the longest list may take is read: 100,000 pull requests with 60 entries each.
    expect(pages).toBeGreaterThanOrEqual(120_000);
    expect(pages).toBeLessThan(130_000);
  });

  test('a walk that begins again may meet the same pages', () => {
    const guard = createNextGuard();
    const walk = (): void => {
      guard('list', answer('/x?ctx=a'), { next: null, pages: 0 });
      guard('list', answer(), { next: '/x?ctx=a', pages: 1 });
    };
    walk();
    expect(walk).not.toThrow();
  });
});
