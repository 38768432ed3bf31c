import { type SQL, sql } from 'drizzle-orm';

/**
 * Whether the transaction that wrote a row is older than every one under way (`pg_snapshot_xmin`): those have all ended,
 * so whatever becomes visible later lies behind it. An id alone says no such thing: it is given before its transaction
 * commits, and a lower one may appear after a higher one. Behind `xmax` are the rows of a dump that was restored where
 * fewer transactions have been.
 */
export const hasSettled = (xact: SQL): SQL =>
  sql`(${xact} < pg_snapshot_xmin(pg_current_snapshot()) or ${xact} >= pg_snapshot_xmax(pg_current_snapshot()))`;
