import type { DatabaseError } from '../../db/errors.ts';
import type { Stream } from '../../workflows/words.ts';
import { EngineError } from '../engineError.ts';

/**
 * Postgres refuses a page, and none of its records is to blame: something beside them is, or the engine. It will be the
 * same each time, so after a few attempts somebody should see it, instead of the page being asked for without end.
 */
export class PageRefused extends EngineError {
  override readonly name = 'PageRefused';

  constructor(stream: Stream, cause: DatabaseError) {
    const { code, table } = cause;
    // Postgres' own message may quote what a page holds.
    const place = table === undefined ? code : `${code} on ${table}`;
    super(
      'PageRefused',
      {
        code: 'page_refused',
        message: `Postgres refuses a page of ${stream}, and none of its records by itself (${place}).`,
        remedy:
          "Please report it with the worker's log. What was stored stays; try again with a version that mends it.",
      },
      { retry: { kind: 'limited', attempts: 5 }, cause },
    );
  }
}
