import { sql } from 'drizzle-orm';
import {
  bigint,
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
  IMPORT_KINDS,
  IMPORT_MODES,
  IMPORT_REPOSITORY_STATES,
  IMPORT_STATES,
  type Finding,
  type ImportKind,
  type ImportMode,
  type ImportRepositoryState,
  type ImportState,
  type Service,
} from '../../workflows/words.ts';
import { createdAt, instant, oneOf, organizationId, word, writtenBy } from './columns.ts';
import { repositories } from './discovery.ts';
import { integrations } from './integrations.ts';

/** What a person chose. */
export type ChosenSelection =
  | { repositories: string[] }
  | { projects: string[] }
  | { workspaces: string[] }
  | { all: true };

/**
 * `imported_by`: what an integration has imported; services that were off catch up. `auto_import`: what the rules of an
 * integration took; its repositories were stored with it.
 */
export type ImportSelection = ChosenSelection | { imported_by: string } | { auto_import: string };

export const imports = pgTable(
  'imports',
  {
    id: uuid('id').primaryKey(),
    organizationId: organizationId(),
    integrationId: uuid('integration_id').notNull(),
    /** a sync brings one repository up to date, and is not shown among the imports */
    kind: word<ImportKind>('kind').notNull().default('import'),
    mode: word<ImportMode>('mode').notNull(),
    /** of a sync, or of services that catch up: only what these bring in is read; null: all that the integration has on */
    services: text('services').array().$type<Service[]>(),
    state: word<ImportState>('state').notNull().default('pending'),
    selection: jsonb('selection').$type<ImportSelection>().notNull(),
    repositoriesTotal: integer('repositories_total'),
    repositoriesCompleted: integer('repositories_completed').notNull().default(0),
    repositoriesFailed: integer('repositories_failed').notNull().default(0),
    records: bigint('records', { mode: 'number' }).notNull().default(0),
    requests: bigint('requests', { mode: 'number' }).notNull().default(0),
    waitingSince: instant('waiting_since'),
    waitingUntil: instant('waiting_until'),
    waitingReason: text('waiting_reason'),
    /** a person paused it: it stays so whatever becomes of its integration */
    pausedByPersonAt: instant('paused_by_person_at'),
    /** a person cancelled it; its runs are stopping */
    cancelRequestedAt: instant('cancel_requested_at'),
    startedByKey: uuid('started_by_key'),
    startedByUser: text('started_by_user'),
    createdAt: createdAt(),
    startedAt: instant('started_at'),
    finishedAt: instant('finished_at'),
  },
  (t) => [
    oneOf('imports_kind', t.kind, IMPORT_KINDS),
    oneOf('imports_mode', t.mode, IMPORT_MODES),
    oneOf('imports_state', t.state, IMPORT_STATES),
    unique('imports_in_organization').on(t.organizationId, t.id),
    foreignKey({
      name: 'imports_integration',
      columns: [t.organizationId, t.integrationId],
      foreignColumns: [integrations.organizationId, integrations.id],
    }).onDelete('cascade'),
    index('imports_page').on(t.organizationId, t.integrationId, t.createdAt, t.id),
    index('imports_pending').on(t.createdAt).where(sql`${t.state} = 'pending'`),
  ],
);

export const importRepositories = pgTable(
  'import_repositories',
  {
    organizationId: organizationId(),
    importId: uuid('import_id').notNull(),
    repositoryId: uuid('repository_id').notNull(),
    /** the order in which repositories are taken up */
    place: integer('place').notNull(),
    state: word<ImportRepositoryState>('state').notNull().default('pending'),
    /** another import whose run reads the repository for this one too; its progress is that one's meanwhile */
    readBy: uuid('read_by'),
    /** how often a person had it tried again after it failed */
    retries: integer('retries').notNull().default(0),
    error: jsonb('error').$type<Finding>(),
    waitingSince: instant('waiting_since'),
    waitingUntil: instant('waiting_until'),
    waitingReason: text('waiting_reason'),
    startedAt: instant('started_at'),
    finishedAt: instant('finished_at'),
  },
  (t) => [
    primaryKey({ columns: [t.organizationId, t.importId, t.repositoryId] }),
    oneOf('import_repositories_state', t.state, IMPORT_REPOSITORY_STATES),
    index('import_repositories_next').on(t.organizationId, t.importId, t.state, t.place),
    // its pages, in the order in which they were chosen
    index('import_repositories_page').on(t.organizationId, t.importId, t.place),
    index('import_repositories_read_elsewhere')
      .on(t.organizationId, t.importId)
      .where(sql`${t.readBy} is not null`),
    index('import_repositories_of_repository').on(t.organizationId, t.repositoryId),
    foreignKey({
      name: 'import_repositories_import',
      columns: [t.organizationId, t.importId],
      foreignColumns: [imports.organizationId, imports.id],
    }).onDelete('cascade'),
    foreignKey({
      name: 'import_repositories_repository',
      columns: [t.organizationId, t.repositoryId],
      foreignColumns: [repositories.organizationId, repositories.id],
    }).onDelete('cascade'),
  ],
);

/** What happened in an import, in the order of `(xact, id)`, as `events` are; the API's event stream counts them. */
export const importEvents = pgTable(
  'import_events',
  {
    organizationId: organizationId(),
    xact: writtenBy('xact'),
    id: bigint('id', { mode: 'number' }).generatedAlwaysAsIdentity(),
    importId: uuid('import_id').notNull(),
    /** `import_started`, `repository_started`, `repository_completed`, `repository_failed`, `rate_limited`, `import_completed` … */
    type: text('type').notNull(),
    repositoryId: uuid('repository_id'),
    data: jsonb('data').$type<Record<string, unknown>>().notNull().default({}),
    at: instant('at').notNull().default(sql`clock_timestamp()`),
  },
  (t) => [
    primaryKey({ columns: [t.organizationId, t.id] }),
    index('import_events_of_import').on(t.organizationId, t.importId, t.xact, t.id),
    foreignKey({
      name: 'import_events_import',
      columns: [t.organizationId, t.importId],
      foreignColumns: [imports.organizationId, imports.id],
    }).onDelete('cascade'),
  ],
);
