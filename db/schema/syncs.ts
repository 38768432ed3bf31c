import { sql } from 'drizzle-orm';
import { foreignKey, index, integer, jsonb, pgTable, primaryKey, text, uuid } from 'drizzle-orm/pg-core';
import { type Finding, type Service, WANTED_PARTS, type WantedPart } from '../../workflows/words.ts';
import { instant, oneOf, organizationId, word } from './columns.ts';
import { repositories } from './discovery.ts';

/** From when on a person wants a repository read again; taken up by the next sync that begins. Written by the api. */
export const syncRanges = pgTable(
  'sync_ranges',
  {
    organizationId: organizationId(),
    repositoryId: uuid('repository_id').notNull(),
    since: instant('since').notNull(),
    askedAt: instant('asked_at').notNull().default(sql`clock_timestamp()`),
  },
  (t) => [
    primaryKey({ columns: [t.organizationId, t.repositoryId] }),
    foreignKey({
      name: 'sync_ranges_repository',
      columns: [t.organizationId, t.repositoryId],
      foreignColumns: [repositories.organizationId, repositories.id],
    }).onDelete('cascade'),
  ],
);

/**
 * Of which pull requests deliveries told what no list need show. Written by the relay with the delivery, and removed with the
 * rows of the answer that was asked for since.
 */
export const wantedPullRequests = pgTable(
  'wanted_pull_requests',
  {
    organizationId: organizationId(),
    repositoryId: uuid('repository_id').notNull(),
    number: integer('number').notNull(),
    part: word<WantedPart>('part').notNull(),
    /** by the last delivery: an answer that was asked for before does not count */
    askedAt: instant('asked_at').notNull().default(sql`clock_timestamp()`),
  },
  (t) => [
    primaryKey({
      name: 'wanted_pull_requests_key',
      columns: [t.organizationId, t.repositoryId, t.number, t.part],
    }),
    oneOf('wanted_pull_requests_part', t.part, WANTED_PARTS),
    foreignKey({
      name: 'wanted_pull_requests_repository',
      columns: [t.organizationId, t.repositoryId],
      foreignColumns: [repositories.organizationId, repositories.id],
    }).onDelete('cascade'),
  ],
);

/**
 * How an imported repository stays current: one row, made by its first sync, or by what has a sync to be made: something that
 * changed while nothing was fetched, or while its first import read it. Until the first sync `last_sync_id` is null.
 */
export const repositorySyncs = pgTable(
  'repository_syncs',
  {
    organizationId: organizationId(),
    repositoryId: uuid('repository_id').notNull(),
    /** the row of `imports` with the progress of the last one, or of the one that runs */
    lastSyncId: uuid('last_sync_id'),
    lastAttemptAt: instant('last_attempt_at'),
    lastSuccessAt: instant('last_success_at'),
    /** syncs in a row that failed, the first of them, and why the last one did */
    failures: integer('failures').notNull().default(0),
    failingSince: instant('failing_since'),
    lastError: jsonb('last_error').$type<Finding>(),
    /** parked until then after it failed; null: not parked */
    nextAttemptAt: instant('next_attempt_at'),
    /**
     * what may have changed while nothing was fetched: a pause, a refused credential, a first import that had read past it,
     * another integration that fetched it before, a sync that took it up and failed
     */
    missed: text('missed').array().$type<Service[]>(),
    /** the repository's `updated_on` that a poll last told of */
    pushedOn: instant('pushed_on'),
    /** the oldest change that a poll found and a webhook should have told of, until it is judged whether one has; null: none */
    pushAwaited: instant('push_awaited'),
    pullRequestAwaited: instant('pull_request_awaited'),
    /** when a poll last asked for its changed pull requests, and when the rotation last looked at all of it */
    polledAt: instant('polled_at'),
    rotatedAt: instant('rotated_at'),
  },
  (t) => [
    primaryKey({ columns: [t.organizationId, t.repositoryId] }),
    foreignKey({
      name: 'repository_syncs_repository',
      columns: [t.organizationId, t.repositoryId],
      foreignColumns: [repositories.organizationId, repositories.id],
    }).onDelete('cascade'),
    index('repository_syncs_parked').on(t.organizationId, t.nextAttemptAt),
    index('repository_syncs_awaited')
      .on(t.organizationId, t.repositoryId)
      .where(sql`${t.pushAwaited} is not null or ${t.pullRequestAwaited} is not null`),
  ],
);
