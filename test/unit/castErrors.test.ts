import { ApplicationFailure, ApplicationFailureCategory, CancelledFailure } from '@temporalio/common';
import { describe, expect, test } from 'vitest';
import { InvalidResponse, RateLimited, RepositoryGone, Upstream } from '../../activities/bitbucket/errors.ts';
import { castError, createFailureCounts } from '../../activities/castErrors.ts';
import { Fenced } from '../../activities/streams/checkpoint.ts';
import { EngineError } from '../../activities/engineError.ts';
import { DatabaseError } from '../../db/errors.ts';

const NOW = Date.UTC(2026, 10, 23, 12);
const CANARY = 'canary-secret-4711';
const finding = { code: 'x', message: 'It happened.', remedy: 'Mend it.' };

const cast = (error: unknown, number = 1, bringsWait = true, limitedInARow = 1): ApplicationFailure => {
  const failure = castError(error, { number, bringsWait, limitedInARow }, NOW);
  if (!(failure instanceof ApplicationFailure)) throw new Error('no ApplicationFailure');
  return failure;
};

describe('errors become failures', () => {
  test('what cannot pass by itself is not tried again', () => {
    expect(cast(new RepositoryGone({ finding }))).toMatchObject({
      type: 'RepositoryGone',
      nonRetryable: true,
    });
    expect(cast(new EngineError('name_taken', finding))).toMatchObject({
      type: 'name_taken',
      nonRetryable: true,
      details: [{ ...finding, fix: 'Mend it.' }],
    });
  });

  test('what passes by itself is tried for ever; an unreadable answer five times', () => {
    const stream = { organizationId: 'o', repositoryId: 'r', stream: 'commits' as const };
    expect(cast(new Upstream({ finding }), 1_000)).toMatchObject({ nonRetryable: false });
    expect(cast(new Fenced(stream), 1_000)).toMatchObject({ type: 'Fenced', nonRetryable: false });
    const unreadable = new InvalidResponse({ finding });
    expect(cast(unreadable, 4, true, 4).nonRetryable).toBe(false);
    expect(cast(unreadable, 5, true, 5).nonRetryable).toBe(true);
  });

  test('only those in a row count: the first unreadable answer behind a long outage is not the last', () => {
    expect(cast(new InvalidResponse({ finding }), 300, true, 1).nonRetryable).toBe(false);
    const countOf = createFailureCounts();
    const [outage, unreadable] = [new Upstream({ finding }), new InvalidResponse({ finding })];
    const counts = [outage, unreadable, unreadable, outage, unreadable].map((error) => countOf('a', error));
    expect(counts).toEqual([0, 1, 2, 0, 1]);
    expect(countOf('another activity', unreadable)).toBe(1);
    expect(countOf('a', unreadable)).toBe(2);
  });

  test('the wait grows with the attempts, for ever at five minutes; Postgres and a taken-over stream are met sooner', () => {
    const waits = (error: unknown) => [1, 2, 5, 9, 1_000].map((number) => cast(error, number).nextRetryDelay);
    const growing = [1_000, 2_000, 16_000, 256_000, 300_000];
    expect(waits(new Upstream({ finding }))).toEqual(growing);
    expect(waits(new TypeError('x'))).toEqual(growing);
    expect(waits(new DatabaseError('22P02', 'no'))).toEqual(growing);
    expect(waits(new DatabaseError('57P03', 'starting up'))).toEqual([1_000, 2_000, 5_000, 5_000, 5_000]);
    const stream = { organizationId: 'o', repositoryId: 'r', stream: 'commits' as const };
    expect(cast(new Fenced(stream), 9).nextRetryDelay).toBeUndefined();
    expect(cast(new Upstream({ finding }), 9, false).nextRetryDelay).toBeUndefined();
  });

  test('a short limit is waited for by the retry, a long one is left to the workflow; neither is a failure', () => {
    const limited = (seconds: number) =>
      new RateLimited({ finding, until: new Date(NOW + seconds * 1_000).toISOString(), why: 'hourly limit' });
    const short = cast(limited(20));
    expect(short).toMatchObject({ nonRetryable: false, nextRetryDelay: 20_000 });
    expect(short.category).toBe(ApplicationFailureCategory.BENIGN);
    const long = cast(limited(1_800));
    expect(long.nonRetryable).toBe(true);
    expect(long.details?.[1]).toEqual({ until: '2026-11-23T12:30:00.000Z', why: 'hourly limit' });
    expect(cast(limited(-5)).nextRetryDelay).toBe(1_000);
  });

  test('the text of an error that the engine did not write stays out of the history', () => {
    const cause = new Error(CANARY);
    for (const error of [
      new TypeError(`cannot read ${CANARY}`, { cause }),
      new DatabaseError('22P02', `invalid input syntax: "${CANARY}"`),
      CANARY,
    ]) {
      const failure = cast(error);
      expect(JSON.stringify([failure.message, failure.stack, failure.details, failure.cause])).not.toContain(
        CANARY,
      );
      expect(failure.nonRetryable).toBe(false);
    }
    expect(cast(new TypeError('x')).stack).toMatch(/castErrors\.test/);
  });

  test("Temporal's own failures pass as they are", () => {
    const cancelled = new CancelledFailure('stop');
    expect(castError(cancelled, { number: 1, bringsWait: true, limitedInARow: 0 })).toBe(cancelled);
  });
});
