import { type SQL, sql } from 'drizzle-orm';

/** An instant in ISO form with microseconds, UTC: the text form that everything outside the database uses. */
export const isoInstant = (instant: SQL): SQL =>
  sql`to_char(${instant} at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`;
