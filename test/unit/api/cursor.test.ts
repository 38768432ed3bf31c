import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { createAnswerBox } from '../../../api/answerBox.ts';
import { createCursor, cursorInstant, page } from '../../../api/cursor.ts';
import { instant } from '../../../api/instant.ts';
import { Problem } from '../../../api/problem.ts';
import { credentialBody } from '../../../api/schemas/credential.ts';
import { since } from '../../../api/schemas/syncRange.ts';
import { Secret } from '../../../platform/secrets/secret.ts';

const cursor = createCursor('things', z.strictObject({ at: cursorInstant, id: z.uuid() }));
const values = { at: '2026-11-23 22:50:01.123456+00', id: '0199c3c2-8c5a-7a50-8b5e-0a8d7c5f1e11' };

describe('cursor', () => {
  test('comes back as it went, and is of its list only', () => {
    expect(cursor.decode(cursor.encode(values))).toEqual(values);
    expect(cursor.decode(undefined)).toBeNull();
    const other = createCursor('others', z.strictObject({ at: cursorInstant, id: z.uuid() }));
    expect(() => cursor.decode(other.encode(values))).toThrow(Problem);
  });

  test('whatever somebody sends is refused with a problem, never another error', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.base64String(),
          fc.json().map((json) => Buffer.from(json).toString('base64url')),
        ),
        (text) => {
          expect(() => cursor.decode(text)).toThrow(Problem);
        },
      ),
    );
  });

  test('a page has one only when there is more', () => {
    expect(page([values, values], 2, cursor, (row) => row).next_cursor).toBeNull();
    const more = page([values, values, values], 2, cursor, (row) => row);
    expect([more.rows.length, cursor.decode(more.next_cursor ?? '')]).toEqual([2, values]);
  });
});

describe('instant', () => {
  test.each([
    ['2026-11-23 22:50:01.123456+00', '2026-11-23T22:50:01.123456Z'],
    ['2026-11-23 22:50:01+00', '2026-11-23T22:50:01Z'],
    ['2026-11-23T22:50:01.5+00:00', '2026-11-23T22:50:01.5Z'],
    ['2026-11-23 22:50:01.123456+05:30', '2026-11-23T22:50:01.123456+05:30'],
    ['2026-11-23 22:50:01-08', '2026-11-23T22:50:01-08:00'],
  ])('%s is %s', (postgres, rfc) => {
    expect(instant(postgres)).toBe(rfc);
  });
});

describe('a time that a caller gives', () => {
  const takers = {
    since: (time: string) => since.safeParse(time).success,
    expires_on: (time: string) =>
      credentialBody.safeParse({ kind: 'api_token', email: 'a@b.c', token: 't', expires_on: time }).success,
    cursor: (time: string) => cursorInstant.safeParse(time).success,
  };

  describe.each(Object.entries(takers))('as %s', (_, takes) => {
    test.each(['2026-11-23T22:50:01Z', '2026-11-23T22:50:01.123456+15:59', '0001-01-01T00:00:00Z'])(
      '%s is taken',
      (time) => {
        expect(takes(time)).toBe(true);
      },
    );

    test.each([
      '0000-06-01T00:00:00Z',
      '0000-12-31T23:00:00-15:00',
      '0001-01-01T00:00:00+15:00',
      '9999-12-31T23:00:00-15:00',
      '2026-11-23T22:50:01+16:00',
      '2026-11-23T22:50:01-23:59',
      `2026-11-23T22:50:01.${'1'.repeat(200)}Z`,
    ])('%s is refused', (time) => {
      expect(takes(time)).toBe(false);
    });
  });
});

describe('answer box', () => {
  const box = createAnswerBox(new Secret('0123456789abcdef0123456789abcdef'));

  test('opens what it closed, in its own place only', () => {
    const closed = box.close('answer', 'organization a key');
    expect(closed).not.toContain('answer');
    expect(box.open(closed, 'organization a key')).toBe('answer');
    expect(() => box.open(closed, 'organization b key')).toThrow(/authenticate/);
  });

  test('fingerprints are keyed, and tell path from body', () => {
    const other = createAnswerBox(new Secret('another-secret-another-secret-32'));
    expect(box.fingerprint('/a', 'b')).toEqual(box.fingerprint('/a', 'b'));
    expect(box.fingerprint('/a', 'b')).not.toEqual(box.fingerprint('/ab', ''));
    expect(box.fingerprint('/a', 'b')).not.toEqual(other.fingerprint('/a', 'b'));
  });
});
