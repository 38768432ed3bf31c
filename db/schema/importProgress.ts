import { sql } from 'drizzle-orm';
import {
  bigint,
  boolean,
  foreignKey,
  index,
  jsonb,
  pgTable,
  primaryKey,
  text,
  uuid,
} from 'drizzle-orm/pg-core';
import {
  STREAMS,
  STREAM_STATES,
  type Finding,
  type Stream,
  type StreamNote,
  type StreamState,
} from '../../workflows/words.ts';
import { instant, oneOf, organizationId, word } from './columns.ts';
import { imports, importRepositories } from './imports.ts';

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
