import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { BitbucketAnswer } from '../../../activities/bitbucket/client.ts';
import { InvalidResponse } from '../../../activities/bitbucket/errors.ts';
import {
  behindPage,
  beginKeyed,
  completeKeyed,
  doubtsEmptyList,
  keyedPath,
  readKeyed,
} from '../../../activities/streams/keyedWalk.ts';
import type { KeyedPosition } from '../../../activities/streams/keyedPosition.ts';
import type { ReaderContext } from '../../../activities/streams/streamReader.ts';

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

  test('a next behind the last record leads to an empty page, and that is the end', () => {
    const last = behindPage('x', beginKeyed(context({})), page([1, 2], 'more', 2), answer(T0));
    expect(behindPage('x', last, page([], null, 0), answer(T0))).toMatchObject({
      ended: true,
      read: 2,
      expected: 2,
    });
  });
});

describe('a list of changes', () => {
  const newest = { updatedOn: '2026-10-07 18:39:55.551762+00', number: 7, asNew: 1 };
  const since = (position: { since: string | null }) => position.since;

  test('begins with the newest stored record, so that an empty one is known to be false', () => {
    const position = beginKeyed(context({ watermark: T1 }), newest);
    expect(since(position)).toBe('2026-10-07T18:39:54.551000Z');
    expect(doubtsEmptyList(context({ watermark: T1 }), position)).toBe(true);
  });

  test('does not count that record again', () => {
    const position = beginKeyed(context({ watermark: T1 }), newest);
    const shown = page([7], null, 1, '2026-10-07T18:39:55.551762Z');
    expect(behindPage('x', position, shown, answer(T1))).toMatchObject({ read: 0, ended: true });
    const changed = page([7, 9], null, 2, '2026-11-01T12:29:00Z');
    expect(behindPage('x', position, changed, answer(T1))).toMatchObject({ read: 2 });
  });

  test('expects what it announces, less what is only shown again, on whichever page that comes', () => {
    const position = beginKeyed(context({ watermark: T1 }), newest);
    const fresh = '2026-11-01T12:29:00Z';
    const first = behindPage('x', position, page([2, 4], 'more', 4, fresh), answer(T1));
    expect(first).toMatchObject({ read: 2, expected: 4, gone: 0 });
    const mixed = page([7], 'more', 2, '2026-10-07T18:39:55.551762Z');
    const second = behindPage('x', first, mixed, answer(T1));
    expect(second).toMatchObject({ read: 2, expected: 3, gone: 0 });
    const last = behindPage('x', second, page([9], null, 1, fresh), answer(T1));
    expect(completeKeyed(last, 50)).toMatchObject({
      whole: false,
      tally: { expected: 3, gone: 0, basis: 'size_of_changes' },
    });
  });

  test('counts a record that cannot be read, however old: it is not stored', () => {
    const position = beginKeyed(context({ watermark: T1 }), newest);
    const shown = page([7], null, 1, '2026-10-07T18:39:55.551762Z');
    const behind = behindPage('x', position, shown, answer(T1), new Set(shown.values));
    expect(behind).toMatchObject({ read: 1, expected: 1 });
  });

  test('of another import goes on where that stood, and counts anew', () => {
    const started = behindPage(
      'x',
      beginKeyed(context({ watermark: T1 })),
      page([1, 2], 'more', 4, T1),
      answer(T1),
    );
    const resumed = beginKeyed(context({ watermark: T1, position: started }));
    expect(resumed).toMatchObject({ after: 2, read: 0, expected: null });
    const last = behindPage('x', resumed, page([3, 4], null, 2, T1), answer(T1));
    expect(last).toMatchObject({ read: 2, expected: 2, gone: 0 });
    const own = beginKeyed(context({ watermark: T1, position: started }, 'changed', { resumes: true }));
    expect(own).toEqual(started);
  });

  test('of which too many are as new begins at the watermark, with one of them: an empty one is known to be false too', () => {
    const position = beginKeyed(context({ watermark: T1 }), { ...newest, asNew: 21 });
    expect(since(position)).toBe('2026-11-01T12:25:00.000000Z');
    expect(decodeURIComponent(keyedPath({ path: '/list?pagelen=50' }, position))).toBe(
      '/list?pagelen=50&q=(updated_on>=2026-11-01T12:25:00.000000Z OR id=7) AND id>0&sort=id',
    );
    expect(doubtsEmptyList(context({ watermark: T1 }), position)).toBe(true);
    const shown = page([7], null, 1, '2026-10-07T18:39:55.551762Z');
    expect(behindPage('x', position, shown, answer(T1))).toMatchObject({ read: 0, ended: true });
  });

  test('must show what changed behind the watermark, however many that are', () => {
    const late = { updatedOn: '2026-11-01 12:29:00+00', number: 7, asNew: 500 };
    const position = beginKeyed(context({ watermark: T1 }), late);
    expect(since(position)).toBe('2026-11-01T12:25:00.000000Z');
    expect(doubtsEmptyList(context({ watermark: T1 }), position)).toBe(true);
  });
});

describe('a list without records', () => {
  const empty = behindPage('x', beginKeyed(context({})), page([], null, 0), answer(T0));
  const completion = completeKeyed(empty, 0);

  test('leaves no watermark, so that the next import reads it whole again', () => {
    expect(completion.watermark).toBeNull();
    expect(completeKeyed(empty, 1).watermark).not.toBeNull();
  });

  test('is doubted the first time; the next import finds it confirmed', () => {
    const first = context({});
    expect(doubtsEmptyList(first, beginKeyed(first))).toBe(true);
    const next = context({ memory: completion.memory ?? null });
    expect(doubtsEmptyList(next, beginKeyed(next))).toBe(false);
    const other = context({ memory: completeKeyed({ ...empty, read: 1 }, 0).memory ?? null });
    expect(doubtsEmptyList(other, beginKeyed(other))).toBe(true);
  });
});

describe('a page that leaves records out', () => {
  const list = {
    name: 'x',
    schema: z.object({ id: z.int() }),
    item: ({ value }: { value: { id: number } }) => ({
      key: String(value.id),
      raw: value,
      row: {},
      accounts: [],
    }),
  };
  /** A host with these records at its n-th answer, which may leave some out. */
  const walk = (
    recordsAt: (asked: number) => number[],
    leaveOut: (asked: number, ids: number[]) => number[] = (_, ids) => ids,
    isEmpty: (asked: number) => boolean = () => false,
  ): KeyedPosition & { asked: number } => {
    let position = beginKeyed(context({}));
    let asked = 0;
    while (!position.ended) {
      asked += 1;
      const behind = recordsAt(asked).filter((id) => id > position.after);
      const ids = leaveOut(asked, behind.slice(0, 3));
      const json = isEmpty(asked)
        ? page([], null, 0)
        : page(ids, behind.length > 3 ? 'more' : null, behind.length);
      position = readKeyed(list, position, { ...answer(T0), json }).position as KeyedPosition;
    }
    return { ...position, asked };
  };
  const RECORDS = [1, 2, 3, 4, 5, 6, 7, 8];

  test('is read again when the next one knows of fewer than it promised, and its records count once', () => {
    expect(walk(() => RECORDS)).toMatchObject({ read: 8, expected: 8, asked: 3 });
    const thin = walk(
      () => RECORDS,
      (asked, ids) => (asked === 2 ? ids.slice(2) : ids),
    );
    expect(thin).toMatchObject({ read: 8, expected: 8, asked: 5 });
    const twice = walk(
      () => RECORDS,
      (asked, ids) => (asked === 2 || asked === 4 ? ids.slice(2) : ids),
    );
    expect(twice).toMatchObject({ read: 8, expected: 8, gone: 0, asked: 7 });
  });

  test('is believed the third time', () => {
    const always = walk(
      () => RECORDS,
      (asked, ids) => (asked % 2 === 1 ? ids.filter((id) => id !== 2) : ids),
    );
    expect(always).toMatchObject({ ended: true, read: 7, expected: 8, gone: 1, asked: 7 });
  });

  test('is not believed either where the answer that sent back to it was the false one', () => {
    const emptyOnce = (asked: number) => asked === 2;
    const withoutSecond = (ids: number[]) => ids.filter((id) => id !== 2);
    const twice = walk(
      () => RECORDS,
      (asked, ids) => (asked === 3 || asked === 4 ? withoutSecond(ids) : ids),
      emptyOnce,
    );
    expect(twice).toMatchObject({ read: 8, expected: 8, gone: 0, asked: 7 });
    const fromThenOn = walk(
      () => RECORDS,
      (asked, ids) => (asked > 2 ? withoutSecond(ids) : ids),
      emptyOnce,
    );
    expect(fromThenOn).toMatchObject({ ended: true, read: 7, expected: 8, gone: 1, asked: 9 });
    const gone = walk(
      (asked) => (asked > 2 ? withoutSecond(RECORDS) : RECORDS),
      (_, ids) => ids,
      emptyOnce,
    );
    expect(gone).toMatchObject({ ended: true, read: 7, expected: 8, gone: 1, asked: 5 });
  });

  test('whose records have really gone is asked for once more, also where all that were left have', () => {
    expect(walk((asked) => (asked >= 2 ? [1, 2, 3, 4, 6, 8] : RECORDS))).toMatchObject({
      ended: true,
      asked: 4,
    });
    expect(walk((asked) => (asked >= 2 ? [1, 2, 3] : RECORDS))).toMatchObject({ ended: true, asked: 3 });
  });

  test('what went meanwhile is told apart from what is missing', () => {
    expect(walk((asked) => (asked >= 2 ? [1, 2, 3, 4, 6, 8] : RECORDS))).toMatchObject({
      read: 6,
      expected: 8,
      gone: 2,
    });
  });

  test('nor is a list of changes believed at once', () => {
    const start = beginKeyed(context({ watermark: T0 }));
    const first = readKeyed(list, start, { ...answer(T1), json: page([3], 'more', 4, T1) });
    const short = readKeyed(list, first.position as KeyedPosition, {
      ...answer(T1),
      json: page([5], null, 1, T1),
    });
    expect(short.position).toMatchObject({ after: 0, read: 0, again: 1, expected: 4 });
  });
});

describe('a closing round', () => {
  test('reads from the watermark, and goes on counting where the import stood', () => {
    const list = { read: 3, highest: 3, expected: 3, gone: 0 };
    const closing = {
      importId: 'one',
      round: 0,
      firstAnswerAt: T1,
      changed: false,
      whole: true,
      rows: 3,
      list,
      missing: 0,
    };
    const start = beginKeyed(context({ watermark: T1 }, 'changed', { closing }));
    expect(start).toMatchObject({ phase: 'delta', since: '2026-11-01T12:25:00.000000Z', ...list });
    const changed = page([2, 4], null, 2, '2026-11-01T12:40:00Z');
    expect(behindPage('x', start, changed, answer(T1))).toMatchObject({ read: 4, expected: 4 });
  });

  test('of a full import goes on in its next chunk; that of another import is no part of it', () => {
    const position = { ...beginKeyed(context({ watermark: T1 })), after: 2 };
    expect(beginKeyed(context({ position }, 'full', { resumes: true }))).toEqual(position);
    expect(beginKeyed(context({ position }, 'full', { resumes: false }))).toMatchObject({
      phase: 'walk',
      after: 0,
    });
  });
});
