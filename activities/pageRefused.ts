import type { DatabaseError } from '../db/errors.ts';
import type { Finding, Stream } from '../workflows/words.ts';

/**
 * Postgres refuses a page, and none of its records is to blame: something beside them is, or the engine. It will be the
 * same each time, so after a few attempts somebody should see it, instead of the page being asked for without end.
 */
export class PageRefused extends Error {
  override readonly name = 'PageRefused';
  readonly type = 'PageRefused';
  readonly retry = { kind: 'limited', attempts: 5 } as const;
  readonly finding: Finding;

  constructor(stream: Stream, cause: DatabaseError) {
    const { code, table } = cause;
    // Postgres' own message may quote what a page holds.
    const place = table === undefined ? code : `${code} on ${table}`;
    super(`Postgres refuses a page of ${stream}, and none of its records by itself (${place}).`, { cause });
    this.finding = {
      code: 'page_refused',
      message: this.message,
      remedy:
        "Please report it with the worker's log. What was stored stays; try again with a version that mends it.",
    };
  }
}
