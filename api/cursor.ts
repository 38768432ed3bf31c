import { z } from 'zod';
import { instant } from './instant.ts';
import { invalidRequest } from './problem.ts';
import { givenTime } from './schemas/shared.ts';

/**
 * Where a list goes on: the sort values of the last row seen, opaque to the caller. A cursor belongs to one list; one
 * of another list, or one that was changed, is refused. `parameter`: by which the list takes it.
 */
export interface Cursor<T> {
  encode(values: T): string;
  /** `undefined`: from the start */
  decode(text: string | undefined): T | null;
}

export function createCursor<T>(list: string, schema: z.ZodType<T>, parameter = 'cursor'): Cursor<T> {
  const whole = z.tuple([z.literal(list), schema]);
  return {
    encode: (values) => Buffer.from(JSON.stringify([list, values])).toString('base64url'),
    decode(text) {
      if (text === undefined) return null;
      const parsed = whole.safeParse(parse(text));
      if (!parsed.success) {
        throw invalidRequest(400, [
          {
            location: `query.${parameter}`,
            message: 'This cursor is not one of this list.',
            fix: 'Give `next_cursor` of the page before, unchanged, or leave it out to start again.',
          },
        ]);
      }
      return parsed.data[1];
    },
  };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(Buffer.from(text, 'base64url').toString('utf8'));
  } catch {
    return undefined;
  }
}

/** Text that Postgres takes as a timestamp; as it came from the row. */
export const cursorInstant = z.string().refine((text) => givenTime.safeParse(instant(text)).success);

/** A number or place in a list, as Postgres takes it. */
export const cursorNumber = z
  .int()
  .min(0)
  .max(2 ** 31 - 1);

/** Text that Postgres takes. */
export const cursorText = z.string().refine((text) => !text.includes('\0'));

/** Cuts the row too many that tells whether there is a next page. */
export function page<Row, T>(
  rows: Row[],
  limit: number,
  cursor: Cursor<T>,
  valuesOf: (row: Row) => T,
): { rows: Row[]; next_cursor: string | null } {
  const kept = rows.slice(0, limit);
  const last = kept.at(-1);
  return {
    rows: kept,
    next_cursor: rows.length > limit && last !== undefined ? cursor.encode(valuesOf(last)) : null,
  };
}
