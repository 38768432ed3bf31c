import { describe, expect, test } from 'vitest';
import {
  createRounds,
  createSourceClock,
  lastReadOf,
  type LastRead,
  type Stand,
} from '../../../activities/closing.ts';

const left = (round: number, changed = false): LastRead => ({
  importId: 'one',
  round,
  changed,
  whole: true,
  rows: 0,
  list: null,
  missing: 0,
});
const stand = (name: string, more: Partial<Stand<string>> = {}): Stand<string> => ({
  name,
  ended: false,
  unavailable: false,
  last: undefined,
  ...more,
});
const done = (name: string, last: LastRead) => stand(name, { ended: true, last });

describe('whose turn it is', () => {
  test('each stream in order, then none', () => {
    const rounds = createRounds([stand('a'), stand('b')]);
    expect(rounds.next()).toBe('a');
    rounds.ended('a', left(0));
    expect(rounds.next()).toBe('b');
    rounds.ended('b', left(0));
    expect(rounds.next()).toBeUndefined();
  });

  test('a round that another attempt began goes on behind the streams that ended it', () => {
    expect(createRounds([done('a', left(1)), done('b', left(0))]).next()).toBe('b');
    expect(createRounds([stand('a', { last: left(0) }), done('b', left(0))]).next()).toBe('a');
  });

  test('what cannot be had has no turn, nor what another import read since', () => {
    const rounds = createRounds([
      stand('a', { unavailable: true }),
      stand('b', { ended: true }),
      done('c', left(0)),
    ]);
    expect(rounds.next()).toBeUndefined();
    expect(rounds.begin(false)).toBe(true);
    expect(rounds.next()).toBe('c');
    rounds.leave('c');
    expect(rounds.next()).toBeUndefined();
  });
});

describe('whether a closing round is due', () => {
  test.each<[string, LastRead[], boolean, boolean]>([
    ['a quick walk needs none', [left(0, true)], true, false],
    ['a longer one does', [left(0), left(0)], false, true],
    ['a round that found something is followed by another', [left(1), left(1, true)], true, true],
    ['one that found nothing is the last', [left(1), left(1)], false, false],
    ['what an earlier round found does not count', [left(2), left(2)], false, false],
    ['the third is the last', [left(3, true)], false, false],
  ])('%s', (_, lasts, quick, due) => {
    const rounds = createRounds(lasts.map((last, index) => done(String(index), last)));
    expect(rounds.begin(quick)).toBe(due);
    expect(rounds.next()).toBe(due ? '0' : undefined);
  });

  test('where nothing can be had there is nothing to close', () => {
    expect(createRounds([stand('a', { unavailable: true })]).begin(false)).toBe(false);
  });
});

describe('how long a walk was', () => {
  const answer = (date: string | undefined) => ({
    status: 200,
    json: {},
    bytes: new Uint8Array(),
    observedAt: '2026-11-01 12:00:00+00',
    date,
    scopes: {},
  });

  test.each([
    [[], true],
    [['2026-11-01T12:00:00Z'], true],
    [['2026-11-01T12:00:00Z', '2026-11-01T12:01:00Z'], true],
    [['2026-11-01T12:00:00Z', '2026-11-01T12:01:01Z'], false],
  ])("by the source's own dates: %j is quick: %s", (dates, quick) => {
    const clock = createSourceClock();
    for (const date of dates) clock.see(answer(date));
    expect(clock.wasQuick()).toBe(quick);
  });
});

test('what another import remembers is not ours', () => {
  const memory = { short: {}, import: left(1) };
  expect(lastReadOf(memory, 'one')).toEqual(left(1));
  expect(lastReadOf(memory, 'two')).toBeUndefined();
  expect(lastReadOf({ short: {} }, 'one')).toBeUndefined();
  expect(lastReadOf(null, 'one')).toBeUndefined();
});
