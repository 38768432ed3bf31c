import { sql } from 'drizzle-orm';
import { foreignKey, index, integer, jsonb, pgTable, text, unique, uuid } from 'drizzle-orm/pg-core';
import { RETRY_STATES, type Finding, type RetryState, type Stream } from '../../workflows/words.ts';
import { bytes, createdAt, instant, oneOf, organizationId, word } from './columns.ts';
import { repositories } from './discovery.ts';
import { integrations } from './integrations.ts';

/** Which records of a quarantine; `{}` is all of them. */
export interface RetryFilter {
  ids?: string[];
  repository?: string;
  stream?: Stream;
}

/** A record that could not be stored, with its bytes as they came. */
export const quarantine = pgTable(
  'quarantine',
  {
    id: uuid('id').primaryKey(),
    organizationId: organizationId(),
    repositoryId: uuid('repository_id').notNull(),
    stream: word<Stream>('stream').notNull(),
    /** the record's key where it could be read, else a hash of its bytes */
    recordKey: text('record_key').notNull(),
    raw: bytes('raw').notNull(),
    reason: text('reason').notNull(),
    /** the request that brought it: path and query under the API base; null: not known */
    requestPath: text('request_path'),
    /** its place in that page, from 0 */
    pageIndex: integer('page_index'),
    /** the pull request or ticket whose own list it came from */
    parentNumber: integer('parent_number'),
    /** the import that met it last, and counts it */
    importId: uuid('import_id'),
    /** our clock when the request that brought it was made: what a later retry stores must not beat newer data */
    observedAt: instant('observed_at'),
    attempts: integer('attempts').notNull().default(1),
    createdAt: createdAt(),
    lastAttemptAt: instant('last_attempt_at').notNull().default(sql`clock_timestamp()`),
  },
  (t) => [
    unique('quarantine_record').on(t.organizationId, t.repositoryId, t.stream, t.recordKey),
    index('quarantine_page').on(t.organizationId, t.id),
    index('quarantine_of_stream').on(t.organizationId, t.repositoryId, t.stream, t.id),
    foreignKey({
      name: 'quarantine_repository',
      columns: [t.organizationId, t.repositoryId],
      foreignColumns: [repositories.organizationId, repositories.id],
    }).onDelete('cascade'),
  ],
);

/** What a person asked to be tried again, and how far that is. */
export const quarantineRetries = pgTable(
  'quarantine_retries',
  {
    id: uuid('id').primaryKey(),
    organizationId: organizationId(),
    integrationId: uuid('integration_id').notNull(),
    /** `{}`: all */
    filter: jsonb('filter').$type<RetryFilter>().notNull(),
    state: word<RetryState>('state').notNull().default('pending'),
    /** the last record that was tried */
    place: jsonb('place').$type<Record<string, unknown>>(),
    tried: integer('tried').notNull().default(0),
    stored: integer('stored').notNull().default(0),
    error: jsonb('error').$type<Finding>(),
    startedByKey: uuid('started_by_key'),
    startedByUser: text('started_by_user'),
    createdAt: createdAt(),
    startedAt: instant('started_at'),
    finishedAt: instant('finished_at'),
  },
  (t) => [
    oneOf('quarantine_retries_state', t.state, RETRY_STATES),
    foreignKey({
      name: 'quarantine_retries_integration',
      columns: [t.organizationId, t.integrationId],
      foreignColumns: [integrations.organizationId, integrations.id],
    }).onDelete('cascade'),
    index('quarantine_retries_of_integration').on(t.organizationId, t.integrationId),
    index('quarantine_retries_pending').on(t.createdAt).where(sql`${t.state} = 'pending'`),
  ],
);
