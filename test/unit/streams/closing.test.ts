import { describe, expect, test } from 'vitest';
import {
  answeredAt,
  createRounds,
  lastReadOf,
  type LastRead,
  type Stand,
  type Walk,
} from '../../../activities/streams/closing.ts';

const FIRST = 'Sun, 01 Nov 2026 12:00:00 GMT';
const A_MINUTE_LATER = 'Sun, 01 Nov 2026 12:01:00 GMT';
const LATER = 'Sun, 01 Nov 2026 12:01:01 GMT';

const left = (round: number, changed = false, firstAnswerAt: string | null = FIRST): LastRead => ({
  importId: 'one',
  round,
  firstAnswerAt,
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
    expect(rounds.begin({ requests: 1, latestAnswerAt: LATER })).toBe(true);
    expect(rounds.next()).toBe('c');
    rounds.leave('c');
    expect(rounds.next()).toBeUndefined();
  });
});

describe('whether a closing round is due', () => {
  const walk = (latestAnswerAt: string | null, requests = 25): Walk => ({ requests, latestAnswerAt });
  test.each<[string, LastRead[], Walk, boolean]>([
    ['a walk of a minute needs none', [left(0, true), left(0, false, LATER)], walk(A_MINUTE_LATER), false],
    ['a longer one does', [left(0, false, LATER), left(0)], walk(LATER), true],
    ['so does one of more requests', [left(0)], walk(FIRST, 26), true],
    ['and one whose end this attempt did not see', [left(0)], walk(null), true],
    ['one that asked for nothing does not', [left(0, false, null)], walk(null), false],
    [
      'a stream that asked for nothing does not hide the others',
      [left(0, false, null), left(0)],
      walk(LATER),
      true,
    ],
    ['a round that found something is followed by another', [left(1), left(1, true)], walk(FIRST), true],
    ['one that found nothing is the last', [left(1), left(1)], walk(LATER), false],
    ['what an earlier round found does not count', [left(2), left(2)], walk(LATER), false],
    ['the ninth that found something too', [left(9, true)], walk(FIRST), true],
    ['the tenth is the last', [left(10, true)], walk(LATER), false],
  ])('%s', (_, lasts, asked, due) => {
    const rounds = createRounds(lasts.map((last, index) => done(String(index), last)));
    expect(rounds.begin(asked)).toBe(due);
    expect(rounds.next()).toBe(due ? '0' : undefined);
  });

  test('where nothing can be had there is nothing to close', () => {
    expect(createRounds([stand('a', { unavailable: true })]).begin(walk(LATER))).toBe(false);
  });
});

test('an answer was given when the source says so, or else when it was asked for', () => {
  const observedAt = '2026-11-01 12:00:05+00';
  expect(answeredAt({ date: FIRST, observedAt })).toBe(FIRST);
  expect(answeredAt({ date: undefined, observedAt })).toBe(observedAt);
});

test('what another import remembers is not ours', () => {
  const memory = { short: {}, import: left(1) };
  expect(lastReadOf(memory, 'one')).toEqual(left(1));
  expect(lastReadOf(memory, 'two')).toBeUndefined();
  expect(lastReadOf({ short: {} }, 'one')).toBeUndefined();
  expect(lastReadOf(null, 'one')).toBeUndefined();
});
