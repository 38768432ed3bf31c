import { sql } from 'drizzle-orm';
import {
  bigint,
  boolean,
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
  GAP_REASONS,
  IMPORT_KINDS,
  IMPORT_MODES,
  IMPORT_REPOSITORY_STATES,
  IMPORT_STATES,
  RETRY_STATES,
  STREAMS,
  STREAM_STATES,
  type Finding,
  type GapReason,
  type ImportKind,
  type ImportMode,
  type ImportRepositoryState,
  type ImportState,
  type RetryState,
  type Service,
  type Stream,
  type StreamNote,
  type StreamState,
} from '../../workflows/words.ts';
import { bytes, createdAt, instant, oneOf, organizationId, word } from './columns.ts';
import { repositories } from './discovery.ts';
import { integrations } from './integrations.ts';

/** Which records of a quarantine; `{}` is all of them. */
export interface RetryFilter {
  ids?: string[];
  repository?: string;
  stream?: Stream;
}

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

/** The checkpoint of one stream of one repository. `epoch` is the fence: a writer of an older epoch writes nothing. */
export const streams = pgTable(
  'streams',
  {
    organizationId: organizationId(),
    repositoryId: uuid('repository_id').notNull(),
    stream: word<Stream>('stream').notNull(),
    epoch: bigint('epoch', { mode: 'number' }).notNull().default(0),
    /** where the walk in hand stands; null: none in hand. Its shape belongs to the stream's activity */
    position: jsonb('position').$type<Record<string, unknown>>(),
    /** everything that changed before this is stored */
    watermark: instant('watermark'),
    /** what the stream remembers between walks, e.g. the completed heads of `commits` */
    memory: jsonb('memory').$type<Record<string, unknown>>(),
    state: word<StreamState>('state').notNull().default('never'),
    failingSince: instant('failing_since'),
    lastError: jsonb('last_error').$type<Finding>(),
    lastSuccessAt: instant('last_success_at'),
    lastAttemptAt: instant('last_attempt_at'),
  },
  (t) => [
    primaryKey({ columns: [t.organizationId, t.repositoryId, t.stream] }),
    oneOf('streams_stream', t.stream, STREAMS),
    oneOf('streams_state', t.state, STREAM_STATES),
    index('streams_failed').on(t.organizationId, t.repositoryId).where(sql`${t.state} = 'failed'`),
    foreignKey({
      name: 'streams_repository',
      columns: [t.organizationId, t.repositoryId],
      foreignColumns: [repositories.organizationId, repositories.id],
    }).onDelete('cascade'),
  ],
);

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

/** Progress of one stream within one import; moves in the page's own transaction. */
export const importStreams = pgTable(
  'import_streams',
  {
    organizationId: organizationId(),
    importId: uuid('import_id').notNull(),
    repositoryId: uuid('repository_id').notNull(),
    stream: word<Stream>('stream').notNull(),
    state: word<StreamState>('state').notNull().default('never'),
    /** records read and safely stored by this import (an unchanged record counts) */
    recordsStored: bigint('records_stored', { mode: 'number' }).notNull().default(0),
    recordsExpected: bigint('records_expected', { mode: 'number' }),
    /** how `expected` is known: `size`, `rev_list`, `comment_count`, `counted` … */
    expectedBasis: text('expected_basis'),
    quarantined: bigint('quarantined', { mode: 'number' }).notNull().default(0),
    /** announced by the source, which then did not have them (`source_gaps`, or a list that grew shorter) */
    gone: bigint('gone', { mode: 'number' }).notNull().default(0),
    /** announced by the source, which refuses them to this account */
    notPermitted: bigint('not_permitted', { mode: 'number' }).notNull().default(0),
    requests: bigint('requests', { mode: 'number' }).notNull().default(0),
    /** for rates: what came in the minute that began then, and in the minute before it */
    windowAt: instant('window_at'),
    windowRecords: bigint('window_records', { mode: 'number' }).notNull().default(0),
    windowRequests: bigint('window_requests', { mode: 'number' }).notNull().default(0),
    beforeRecords: bigint('before_records', { mode: 'number' }).notNull().default(0),
    beforeRequests: bigint('before_requests', { mode: 'number' }).notNull().default(0),
    /** which of several ways the stream was read, e.g. `feed`, `per_pull_request`; null: there is only one */
    method: text('method'),
    /** what a reader of the completeness report should know, by code */
    notes: jsonb('notes').$type<Record<string, StreamNote>>().notNull().default({}),
    lastError: jsonb('last_error').$type<Finding>(),
    startedAt: instant('started_at'),
    finishedAt: instant('finished_at'),
    /** counted in `import_totals`: its repository has ended; whoever changes it takes it out again */
    settled: boolean('settled').notNull().default(false),
  },
  (t) => [
    primaryKey({ columns: [t.organizationId, t.importId, t.repositoryId, t.stream] }),
    index('import_streams_live').on(t.organizationId, t.importId).where(sql`not ${t.settled}`),
    oneOf('import_streams_stream', t.stream, STREAMS),
    oneOf('import_streams_state', t.state, STREAM_STATES),
    foreignKey({
      name: 'import_streams_repository',
      columns: [t.organizationId, t.importId, t.repositoryId],
      foreignColumns: [
        importRepositories.organizationId,
        importRepositories.importId,
        importRepositories.repositoryId,
      ],
    }).onDelete('cascade'),
  ],
);

/**
 * The streams of an import whose repositories have ended, counted together: those that are alike in state and in how they
 * are known make one row. Written by the roll-up and by the triggers of migration 0022.
 */
export const importTotals = pgTable(
  'import_totals',
  {
    organizationId: organizationId(),
    importId: uuid('import_id').notNull(),
    stream: word<Stream>('stream').notNull(),
    state: word<StreamState>('state').notNull(),
    /** failed for not adding up */
    incomplete: boolean('incomplete').notNull(),
    /** `expected_basis` and `method`; '' for none */
    basis: text('basis').notNull(),
    method: text('method').notNull(),
    /** how many rows of `import_streams` this is the sum of */
    streams: bigint('streams', { mode: 'number' }).notNull(),
    stored: bigint('stored', { mode: 'number' }).notNull(),
    /** those whose `records_expected` is known, and its sum */
    known: bigint('known', { mode: 'number' }).notNull(),
    expected: bigint('expected', { mode: 'number' }).notNull(),
    quarantined: bigint('quarantined', { mode: 'number' }).notNull(),
    gone: bigint('gone', { mode: 'number' }).notNull(),
    notPermitted: bigint('not_permitted', { mode: 'number' }).notNull(),
    requests: bigint('requests', { mode: 'number' }).notNull(),
    /** records that are missing or too many, each in its stream, and streams that add up */
    missing: bigint('missing', { mode: 'number' }).notNull(),
    surplus: bigint('surplus', { mode: 'number' }).notNull(),
    level: bigint('level', { mode: 'number' }).notNull(),
  },
  (t) => [
    primaryKey({
      name: 'import_totals_key',
      columns: [t.organizationId, t.importId, t.stream, t.state, t.incomplete, t.basis, t.method],
    }),
    foreignKey({
      name: 'import_totals_import',
      columns: [t.organizationId, t.importId],
      foreignColumns: [imports.organizationId, imports.id],
    }).onDelete('cascade'),
  ],
);

/** What happened in an import, in order; the event stream of the API resumes from an id. */
export const importEvents = pgTable(
  'import_events',
  {
    organizationId: organizationId(),
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
    index('import_events_of_import').on(t.organizationId, t.importId, t.id),
    foreignKey({
      name: 'import_events_import',
      columns: [t.organizationId, t.importId],
      foreignColumns: [imports.organizationId, imports.id],
    }).onDelete('cascade'),
  ],
);

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
  ],
);

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

/**
 * The request budget, keyed by Bitbucket account and limit group: no tenant data, no row-level security. One row is one
 * rolling window; whoever changes anything of a window holds this row's lock for the length of one statement.
 */
export const requestLimits = pgTable(
  'request_limits',
  {
    accountKey: text('account_key').notNull(),
    limitGroup: text('limit_group').notNull(),
    /** requests in a window as the installation is set up; null or 0: none known */
    defaultLimit: integer('default_limit'),
    /** what Bitbucket's headers said instead, and when the request was taken whose answer said so */
    statedLimit: integer('stated_limit'),
    statedAt: instant('stated_at'),
    windowMs: integer('window_ms').notNull().default(3_600_000),
    /** Bitbucket's word (Retry-After, or the doubling wait where it gives none) */
    blockedUntil: instant('blocked_until'),
    /** 429 answers in a row without Retry-After */
    refusals: integer('refusals').notNull().default(0),
    /** requests in a row that got no answer, or 5xx */
    failures: integer('failures').notNull().default(0),
    /** when `blocked_until` was last set or lifted by an answer */
    updatedAt: instant('updated_at').notNull().default(sql`clock_timestamp()`),
    /** when uses and waits that are over were last removed */
    sweptAt: instant('swept_at').notNull().default(sql`clock_timestamp()`),
  },
  (t) => [primaryKey({ columns: [t.accountKey, t.limitGroup] })],
);

/** Requests in a window, by the time at which they leave it and by whom they were made for. */
export const requestUses = pgTable(
  'request_uses',
  {
    accountKey: text('account_key').notNull(),
    limitGroup: text('limit_group').notNull(),
    leavesAt: instant('leaves_at').notNull(),
    /** the id of an import; `live`: what goes first; `elsewhere`: what Bitbucket counted and we did not send */
    consumer: text('consumer').notNull(),
    requests: integer('requests').notNull(),
  },
  (t) => [primaryKey({ columns: [t.accountKey, t.limitGroup, t.leavesAt, t.consumer] })],
);

/** Workflows that wait for a window, in the order in which they came: by it they get their turn, and are woken early. */
export const requestWaits = pgTable(
  'request_waits',
  {
    accountKey: text('account_key').notNull(),
    limitGroup: text('limit_group').notNull(),
    /** id of the workflow */
    waiter: text('waiter').notNull(),
    consumer: text('consumer').notNull(),
    since: instant('since').notNull(),
    /** what it was told */
    until: instant('until').notNull(),
    /** when it was told that it may come earlier */
    wokenAt: instant('woken_at'),
  },
  (t) => [
    primaryKey({ columns: [t.accountKey, t.limitGroup, t.waiter] }),
    index('request_waits_of_waiter').on(t.waiter),
    index('request_waits_of_consumer').on(t.consumer),
  ],
);
