import { sql } from 'drizzle-orm';
import {
  bigint,
  boolean,
  doublePrecision,
  foreignKey,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  text,
  unique,
  uuid,
} from 'drizzle-orm/pg-core';
import {
  ESTIMATE_STATES,
  IMPORT_MODES,
  type EstimateState,
  type Finding,
  type ImportMode,
} from '../../workflows/words.ts';
import { createdAt, instant, oneOf, organizationId, word } from './columns.ts';
import { repositories } from './discovery.ts';
import type { ChosenSelection } from './imports.ts';
import { integrations } from './integrations.ts';

/** What an import would take, asked for by `dry_run`; removed a day after it was asked for. */
export const importEstimates = pgTable(
  'import_estimates',
  {
    id: uuid('id').primaryKey(),
    organizationId: organizationId(),
    integrationId: uuid('integration_id').notNull(),
    mode: word<ImportMode>('mode').notNull(),
    state: word<EstimateState>('state').notNull().default('pending'),
    selection: jsonb('selection').$type<ChosenSelection>().notNull(),
    /** repositories that the selection chose; null until they are counted */
    repositoriesTotal: integer('repositories_total'),
    /** the answer; its shape is the API's */
    result: jsonb('result').$type<Record<string, unknown>>(),
    /** why it failed */
    error: jsonb('error').$type<Finding>(),
    waitingSince: instant('waiting_since'),
    waitingUntil: instant('waiting_until'),
    waitingReason: text('waiting_reason'),
    startedByKey: uuid('started_by_key'),
    startedByUser: text('started_by_user'),
    createdAt: createdAt(),
    startedAt: instant('started_at'),
    finishedAt: instant('finished_at'),
  },
  (t) => [
    oneOf('import_estimates_mode', t.mode, IMPORT_MODES),
    oneOf('import_estimates_state', t.state, ESTIMATE_STATES),
    unique('import_estimates_in_organization').on(t.organizationId, t.id),
    foreignKey({
      name: 'import_estimates_integration',
      columns: [t.organizationId, t.integrationId],
      foreignColumns: [integrations.organizationId, integrations.id],
    }).onDelete('cascade'),
    index('import_estimates_end').on(t.createdAt),
    index('import_estimates_of_integration').on(t.organizationId, t.integrationId),
  ],
);

/** One repository that an estimate asks about, with what it learned. */
export const importEstimateRepositories = pgTable(
  'import_estimate_repositories',
  {
    organizationId: organizationId(),
    estimateId: uuid('estimate_id').notNull(),
    repositoryId: uuid('repository_id').notNull(),
    /** the order in which they are asked about */
    place: integer('place').notNull(),
    stratum: integer('stratum').notNull(),
    /** how many of the chosen repositories it stands for */
    weight: doublePrecision('weight').notNull(),
    done: boolean('done').notNull().default(false),
    /** requests made for it */
    requests: bigint('requests', { mode: 'number' }).notNull().default(0),
    /** answers so far; the shape belongs to the estimate's activity */
    facts: jsonb('facts').$type<Record<string, unknown>>().notNull().default(sql`'{}'`),
    /** why it cannot be imported */
    finding: jsonb('finding').$type<Finding>(),
    /** its part of the answer; its shape is the API's */
    result: jsonb('result').$type<Record<string, unknown>>(),
  },
  (t) => [
    primaryKey({
      name: 'import_estimate_repositories_key',
      columns: [t.organizationId, t.estimateId, t.repositoryId],
    }),
    index('import_estimate_repositories_of_repository').on(t.organizationId, t.repositoryId),
    foreignKey({
      name: 'import_estimate_repositories_estimate',
      columns: [t.organizationId, t.estimateId],
      foreignColumns: [importEstimates.organizationId, importEstimates.id],
    }).onDelete('cascade'),
    foreignKey({
      name: 'import_estimate_repositories_repository',
      columns: [t.organizationId, t.repositoryId],
      foreignColumns: [repositories.organizationId, repositories.id],
    }).onDelete('cascade'),
  ],
);
