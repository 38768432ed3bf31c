import { sql } from 'drizzle-orm';
import { foreignKey, integer, pgTable, primaryKey, uuid } from 'drizzle-orm/pg-core';
import { GAP_REASONS, type GapReason, type Stream } from '../../workflows/words.ts';
import { instant, oneOf, organizationId, word } from './columns.ts';
import { repositories } from './discovery.ts';

/**
 * Records that the source announces (a count, a state, a vote) and does not have or not give: proven by reading the own
 * list of that pull request or ticket to its end. Holds for the version of the parent that was read.
 */
export const sourceGaps = pgTable(
  'source_gaps',
  {
    organizationId: organizationId(),
    repositoryId: uuid('repository_id').notNull(),
    stream: word<Stream>('stream').notNull(),
    /** of the pull request */
    number: integer('number').notNull(),
    records: integer('records').notNull(),
    reason: word<GapReason>('reason').notNull(),
    /** the parent's `updated_on` when its list was read */
    version: instant('version').notNull(),
    at: instant('at').notNull().default(sql`clock_timestamp()`),
  },
  (t) => [
    primaryKey({ columns: [t.organizationId, t.repositoryId, t.stream, t.number] }),
    oneOf('source_gaps_reason', t.reason, GAP_REASONS),
    foreignKey({
      name: 'source_gaps_repository',
      columns: [t.organizationId, t.repositoryId],
      foreignColumns: [repositories.organizationId, repositories.id],
    }).onDelete('cascade'),
  ],
);
