import { type SQL, sql } from 'drizzle-orm';

/** Pages of the default length, of a hundred and of the most, each with the row behind that says whether there is more. */
const USUAL: ReadonlySet<number> = new Set([51, 101, 201]);

/**
 * The limit of a page. The usual ones are part of the statement's text: with one in a parameter a plan for just this value
 * looks cheaper than any that is kept, so Postgres makes one with each call. Any other would make a statement of its own.
 */
export const limitTo = (rows: number): SQL =>
  USUAL.has(rows) ? sql.raw(`limit ${String(rows)}`) : sql`limit ${rows}`;
