import { afterEach, describe, expect, it, vi } from 'vitest';
import {
  answerDate,
  retryAfterSeconds,
  scopeHeaders,
  statedLimits,
} from '../../../activities/bitbucket/answerHeaders.ts';

const NOW = Date.parse('2026-11-23T12:00:00Z');
const wait = (headers: Record<string, string>) => retryAfterSeconds(new Headers(headers), NOW);

afterEach(() => vi.unstubAllEnvs());

describe('how long a 429 asks to wait', () => {
  it.each([
    ['seconds', { 'retry-after': '120' }, 120],
    ['a part of a second, rounded up', { 'retry-after': '0.2' }, 1],
    ['zero, still at least a second', { 'retry-after': '0' }, 1],
    ['a date', { 'retry-after': 'Mon, 23 Nov 2026 12:05:00 GMT' }, 300],
    ['a date that is past', { 'retry-after': 'Mon, 23 Nov 2026 11:00:00 GMT' }, 1],
    [
      'a date, read against the clock of who sent it',
      { 'retry-after': 'Mon, 23 Nov 2026 18:00:30 GMT', date: 'Mon, 23 Nov 2026 18:00:00 GMT' },
      30,
    ],
    ['seconds, at most a day', { 'retry-after': '99999999' }, 86_400],
    ['the reset header, in seconds left', { 'x-ratelimit-reset': '879' }, 879],
    ['the first number of a list', { 'x-ratelimit-reset': '60, 60;w=3600' }, 60],
    ['a reset, at most the window', { 'x-ratelimit-reset': '1795521600' }, 3_600],
    ['Retry-After before the reset', { 'retry-after': '7', 'x-ratelimit-reset': '879' }, 7],
    ['the reset where Retry-After is no value', { 'retry-after': 'soon', 'x-ratelimit-reset': '9' }, 9],
  ])('is %s', (_, headers, seconds) => {
    expect(wait(headers)).toBe(seconds);
  });

  it('is a date in the form that names no time zone, wherever the worker stands', () => {
    vi.stubEnv('TZ', 'America/New_York');
    expect(wait({ 'retry-after': 'Mon Nov 23 12:05:00 2026' })).toBe(300);
    expect(wait({ 'retry-after': 'Tue Dec  1 00:00:30 2026', date: 'Tue Dec  1 00:00:00 2026' })).toBe(30);
  });

  it.each([
    {},
    { 'retry-after': '' },
    { 'retry-after': 'soon' },
    { 'retry-after': '-5' },
    { 'x-ratelimit-reset': '0' },
    { 'x-ratelimit-reset': 'x' },
  ])('is left open by %j', (headers) => {
    expect(wait(headers)).toBeUndefined();
  });
});

describe('the scope headers', () => {
  it('are lists with commas and blanks, in the vocabulary of the credential', () => {
    const headers = new Headers({
      'x-oauth-scopes': 'pullrequest:write, account',
      'x-accepted-oauth-scopes': 'repository',
      'x-credential-type': 'api_token',
    });
    expect(scopeHeaders(headers)).toEqual({
      granted: ['pullrequest:write', 'account'],
      accepted: ['repository'],
      credentialType: 'api_token',
    });
  });

  it('tell "none granted" from "not said"', () => {
    expect(scopeHeaders(new Headers({ 'x-oauth-scopes': '' }))).toEqual({ granted: [] });
    expect(scopeHeaders(new Headers())).toEqual({});
  });

  it('come with the time of the answer', () => {
    expect(answerDate(new Headers({ date: 'Mon, 23 Nov 2026 12:00:00 GMT' }))).toBe(
      '2026-11-23T12:00:00.000Z',
    );
    expect(answerDate(new Headers({ date: 'yesterday' }))).toBeUndefined();
    expect(answerDate(new Headers())).toBeUndefined();
  });
});

describe('what an answer states about its limit', () => {
  const nothing = { limit: null, remaining: null, nearLimit: null };

  it.each([
    ['nothing', {}, {}],
    ['a number', { 'x-ratelimit-limit': '2000' }, { limit: 2_000 }],
    ['the first number of a list', { 'x-ratelimit-limit': '60, 60;w=3600' }, { limit: 60 }],
    ['what is left', { 'x-ratelimit-remaining': '52' }, { remaining: 52 }],
    ['that nothing is left', { 'x-ratelimit-remaining': '0' }, { remaining: 0 }],
    ['that the end is near', { 'x-ratelimit-nearlimit': 'true' }, { nearLimit: true }],
    ['that it is not', { 'x-ratelimit-nearlimit': 'False' }, { nearLimit: false }],
    ['the same as a number', { 'x-ratelimit-nearlimit': '1' }, { nearLimit: true }],
    ['a number whose meaning nobody knows', { 'x-ratelimit-nearlimit': '200' }, {}],
    ['a limit of nothing, which is none', { 'x-ratelimit-limit': '0' }, {}],
    ['rubbish', { 'x-ratelimit-limit': 'api', 'x-ratelimit-remaining': '-3' }, {}],
    ['a number that no account has', { 'x-ratelimit-limit': '99999999999999' }, {}],
  ])('is %s', (_, headers, stated) => {
    expect(statedLimits(new Headers(headers))).toEqual({ ...nothing, ...stated });
  });
});
