import { describe, expect, test } from 'vitest';
import type { BitbucketAnswer } from '../../../activities/bitbucket/client.ts';
import { InvalidResponse } from '../../../activities/bitbucket/errors.ts';
import { behindPage, beginKeyed, keyedPath, nextPass } from '../../../activities/keyedWalk.ts';
import type { ReaderContext } from '../../../activities/streamReader.ts';

const answer = (date: string): BitbucketAnswer => ({
  status: 200,
  json: {},
  bytes: new Uint8Array(),
  observedAt: date,
  date,
  scopes: {},
});
const context = (
  checkpoint: Partial<ReaderContext['checkpoint']>,
  mode: 'changed' | 'full' = 'changed',
  more: Partial<ReaderContext> = {},
) =>
  ({
    mode,
    ...more,
    checkpoint: { epoch: 1, position: null, watermark: null, memory: null, ...checkpoint },
  }) as ReaderContext;
const page = (ids: number[], next: string | null, size: number, updated_on = '2020-01-01T00:00:00Z') => ({
  values: ids.map((id) => ({ id, updated_on })),
  next,
  size,
});
const T0 = '2026-11-01T12:00:00.000Z';
const T1 = '2026-11-01T12:30:00.000Z';

describe('a list read by key', () => {
  test('the first time everything is read, each page by the last id of the one before', () => {
    const start = beginKeyed(context({}));
    expect(keyedPath({ path: '/x?pagelen=50' }, start)).toBe('/x?pagelen=50&q=id%3E0&sort=id');
    const next = behindPage('x', start, page([1, 4, 9], 'more', 5), answer(T0));
    expect(decodeURIComponent(keyedPath({ path: '/x?pagelen=50' }, next))).toBe(
      '/x?pagelen=50&q=id>9&sort=id',
    );
    expect(next).toMatchObject({ expected: 5, read: 3, ended: false });
    expect(behindPage('x', next, page([10, 12], null, 2), answer(T1))).toMatchObject({
      expected: 5,
      read: 5,
      ended: true,
      began: '2026-11-01T12:00:00.000000Z',
    });
  });

  test('what was created during the walk is expected too', () => {
    const first = behindPage('x', beginKeyed(context({})), page([1, 2], 'more', 3), answer(T0));
    expect(behindPage('x', first, page([3, 4], null, 2), answer(T1)).expected).toBe(4);
  });

  test('a later import asks for what changed since the watermark, some minutes overlapping', () => {
    const start = beginKeyed(context({ watermark: '2026-11-01 12:00:00+00' }));
    expect(decodeURIComponent(keyedPath({ path: '/x?p=1' }, start))).toBe(
      '/x?p=1&q=updated_on>=2026-11-01T11:55:00.000000Z AND id>0&sort=id',
    );
  });

  test('a walk in hand goes on; a full import does not go on with a partial one', () => {
    const position = behindPage('x', beginKeyed(context({})), page([1, 2], 'more', 3), answer(T0));
    expect(beginKeyed(context({ position }))).toEqual(position);
    expect(beginKeyed(context({ position }, 'full'))).toEqual(position);
    const partial = beginKeyed(context({ watermark: '2026-11-01 12:00:00+00' }));
    expect(beginKeyed(context({ position: { ...partial, after: 5 } }, 'full'))).toMatchObject({
      phase: 'walk',
      after: 0,
    });
  });

  test.each([
    ['an end before its own size', page([1], null, 3)],
    ['a next that does not go on', page([], 'more', 3)],
  ])('%s is an error, never the end', (_, cut) => {
    expect(() => behindPage('x', beginKeyed(context({})), cut, answer(T0))).toThrow(InvalidResponse);
  });

  test('an empty page where there must be more is an error', () => {
    const first = behindPage('x', beginKeyed(context({})), page([1, 2], 'more', 3), answer(T0));
    expect(() => behindPage('x', first, page([], null, 0), answer(T0))).toThrow(InvalidResponse);
  });
});

describe('closing passes', () => {
  test('of a full import go on in its next chunk; those of another import are no part of it', () => {
    const position = { ...nextPass(walked)!, after: 2 };
    expect(beginKeyed(context({ position }, 'full', { resumes: true }))).toEqual(position);
    expect(beginKeyed(context({ position }, 'full', { resumes: false }))).toMatchObject({
      phase: 'walk',
      after: 0,
    });
  });

  test('a closing round reads from the watermark, and goes on counting where the import stood', () => {
    const list = { read: 3, highest: 3, expected: 3, gone: 0 };
    const closing = { importId: 'one', round: 0, changed: false, whole: true, rows: 3, list, missing: 0 };
    const start = beginKeyed(context({ watermark: T1 }, 'changed', { closing }));
    expect(start).toMatchObject({ phase: 'delta', since: '2026-11-01T12:25:00.000000Z', ...list });
    expect(behindPage('x', start, page([2, 4], null, 2), answer(T1))).toMatchObject({ read: 4, expected: 4 });
  });

  const walked = behindPage(
    'x',
    behindPage('x', beginKeyed(context({})), page([1, 2], 'more', 3), answer(T0)),
    page([3], null, 1),
    answer(T1),
  );

  test('one answer shows one moment: a list of one page needs none', () => {
    const one = behindPage('x', beginKeyed(context({})), page([1, 2], null, 2), answer(T0));
    expect(nextPass(one)).toBeUndefined();
  });

  test('behind a longer walk, from its first answer on', () => {
    expect(nextPass(walked)).toMatchObject({
      phase: 'delta',
      since: '2026-11-01T11:55:00.000000Z',
      newSince: '2026-11-01T12:00:00.000000Z',
      pass: 1,
      after: 0,
      expected: 3,
    });
  });

  test('end when one of them meets nothing new, or is a single answer', () => {
    const delta = nextPass(walked)!;
    const quiet = behindPage(
      'x',
      behindPage('x', delta, page([1], 'm', 2), answer(T1)),
      page([2], null, 1),
      answer(T1),
    );
    expect(nextPass(quiet)).toBeUndefined();
    const busy = behindPage(
      'x',
      behindPage('x', delta, page([1], 'm', 2, '2026-11-01T12:10:00Z'), answer(T1)),
      page([2], null, 1),
      answer(T1),
    );
    expect(nextPass(busy)).toMatchObject({ pass: 2, newSince: '2026-11-01T12:30:00.000000Z' });
  });

  test('a pull request that came meanwhile is expected too, one that only changed is not', () => {
    const delta = nextPass(walked)!;
    expect(behindPage('x', delta, page([2, 4], null, 2), answer(T1)).expected).toBe(4);
  });
});
