import { sql } from 'drizzle-orm';
import { boolean, foreignKey, index, pgTable, primaryKey, text, uuid } from 'drizzle-orm/pg-core';
import { STREAM_STATES, type StreamState } from '../../workflows/words.ts';
import { instant, oneOf, organizationId, word } from './columns.ts';
import { repositories } from './discovery.ts';

/**
 * How each repository fares, in one narrow row made with it: what counts and lists thousands of them reads this, and not
 * eight streams of each. Written by triggers alone (migration 0022), in the transaction of whatever changes a repository,
 * its streams or its syncs, so it is never behind.
 */
export const repositoryHealth = pgTable(
  'repository_health',
  {
    organizationId: organizationId(),
    repositoryId: uuid('repository_id').notNull(),
    /** of the repository: whose credential fetches it, its name, and whether it was ever imported */
    integrationId: uuid('integration_id'),
    fullName: text('full_name').notNull(),
    imported: boolean('imported').notNull(),
    /** the worst of its streams, by `BY_URGENCY`; `failed` while its syncs fail */
    state: word<StreamState>('state').notNull().default('never'),
    /** `commits healthy,refs healthy`: each stream with its state, in the order of names */
    streamStates: text('stream_states').notNull().default(''),
    /** of streams and syncs: the first failure, the last success, the last attempt */
    failingSince: instant('failing_since'),
    lastSuccessAt: instant('last_success_at'),
    lastAttemptAt: instant('last_attempt_at'),
    /** of its syncs */
    nextAttemptAt: instant('next_attempt_at'),
    /** when all of it was last looked at, by the rotation or its first import */
    lookedAt: instant('looked_at'),
  },
  (t) => [
    primaryKey({ columns: [t.organizationId, t.repositoryId] }),
    oneOf('repository_health_state', t.state, STREAM_STATES),
    foreignKey({
      name: 'repository_health_repository',
      columns: [t.organizationId, t.repositoryId],
      foreignColumns: [repositories.organizationId, repositories.id],
    }).onDelete('cascade'),
    index('repository_health_page').on(
      t.organizationId,
      t.integrationId,
      t.state,
      t.fullName,
      t.repositoryId,
    ),
    // Whether all that were imported have failed is asked with every look at an integration.
    index('repository_health_imported')
      .on(t.organizationId, t.integrationId, t.state, t.repositoryId)
      .where(sql`${t.imported}`),
    // So is the one that has waited for longest.
    index('repository_health_looked_at')
      .on(t.organizationId, t.integrationId, t.lookedAt)
      .where(sql`${t.imported}`),
  ],
);
