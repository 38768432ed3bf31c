import { sql } from 'drizzle-orm';
import { bigint, check, foreignKey, pgTable, primaryKey, text, unique, uuid } from 'drizzle-orm/pg-core';
import { REMOVAL_STEPS, type RemovalStep } from '../../workflows/words.ts';
import { createdAt, instant, oneOf, organizationId, word } from './columns.ts';
import { repositories } from './discovery.ts';
import { integrations } from './integrations.ts';

/** How far the removal of an integration or of one repository is. Goes with what it removes. */
export const removals = pgTable(
  'removals',
  {
    organizationId: organizationId(),
    /** the integration or the repository */
    subjectId: uuid('subject_id').notNull(),
    integrationId: uuid('integration_id'),
    repositoryId: uuid('repository_id'),
    step: word<RemovalStep>('step').notNull().default('stopping'),
    /** rows there were when everything stood still; null: not counted yet */
    rowsTotal: bigint('rows_total', { mode: 'number' }),
    rowsRemoved: bigint('rows_removed', { mode: 'number' }).notNull().default(0),
    requestedByKey: uuid('requested_by_key'),
    requestedByUser: text('requested_by_user'),
    requestedAt: createdAt('requested_at'),
    updatedAt: instant('updated_at').notNull().default(sql`clock_timestamp()`),
  },
  (t) => [
    primaryKey({ columns: [t.organizationId, t.subjectId] }),
    oneOf('removals_step', t.step, REMOVAL_STEPS),
    check(
      'removals_subject',
      sql`num_nonnulls(${t.integrationId}, ${t.repositoryId}) = 1 and ${t.subjectId} = coalesce(${t.integrationId}, ${t.repositoryId})`,
    ),
    unique('removals_of_integration').on(t.organizationId, t.integrationId),
    unique('removals_of_repository').on(t.organizationId, t.repositoryId),
    foreignKey({
      name: 'removals_integration',
      columns: [t.organizationId, t.integrationId],
      foreignColumns: [integrations.organizationId, integrations.id],
    }).onDelete('cascade'),
    foreignKey({
      name: 'removals_repository',
      columns: [t.organizationId, t.repositoryId],
      foreignColumns: [repositories.organizationId, repositories.id],
    }).onDelete('cascade'),
  ],
);
