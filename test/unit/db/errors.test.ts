import { DrizzleQueryError } from 'drizzle-orm/errors';
import { expect, test } from 'vitest';
import { problemOf } from '../../../api/problemOf.ts';
import { databaseError, DatabaseError } from '../../../db/errors.ts';

const systemError = (code: string): Error => Object.assign(new Error(`read ${code}`), { code });

test.each([
  'ECONNRESET',
  'ECONNABORTED',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENETDOWN',
  'EHOSTDOWN',
])('a connection that broke off is lost, however the system calls it: %s', (code) => {
  const broken = systemError(code);
  for (const error of [broken, new DrizzleQueryError('select 1', [], broken)])
    expect(databaseError(error)).toMatchObject({ code: '08006', cause: broken });
});

test('a call to somebody else that broke off within a transaction is no error of the database', () => {
  const error = new Error('Bitbucket is not there.', { cause: systemError('ECONNRESET') });
  expect(databaseError(error)).toBeUndefined();
});

test.each(['08001', '08006', '57P03', '53300', '53100', '53200', '58030'])(
  'a Postgres that is not there or has no disk, memory or connection left: 503, and when to come again: %s',
  (code) => {
    expect(problemOf(new DatabaseError(code, 'no'))).toMatchObject({
      status: 503,
      code: 'unavailable',
      headers: { 'Retry-After': '2' },
    });
  },
);

test('a write that had no answer in time may still be carried out, and the problem says so', () => {
  expect(problemOf(new DatabaseError('08007', 'no'))).toMatchObject({
    status: 503,
    code: 'unavailable',
    message: expect.stringContaining('may still be carried out'),
    headers: { 'Retry-After': '2' },
  });
});
