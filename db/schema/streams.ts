import { sql } from 'drizzle-orm';
import { bigint, foreignKey, index, jsonb, pgTable, primaryKey, uuid } from 'drizzle-orm/pg-core';
import {
  STREAMS,
  STREAM_STATES,
  type Finding,
  type Stream,
  type StreamState,
} from '../../workflows/words.ts';
import { instant, oneOf, organizationId, word } from './columns.ts';
import { repositories } from './discovery.ts';

/** An attempt of an activity: of which run of a workflow, which of its activities by number, and which attempt of it. */
export interface Opener {
  run: string;
  activity: number;
  attempt: number;
}

/** The checkpoint of one stream of one repository. `epoch` is the fence: a writer of an older epoch writes nothing. */
export const streams = pgTable(
  'streams',
  {
    organizationId: organizationId(),
    repositoryId: uuid('repository_id').notNull(),
    stream: word<Stream>('stream').notNull(),
    epoch: bigint('epoch', { mode: 'number' }).notNull().default(0),
    /** who opened it last; null: not an attempt of a workflow's activity */
    openedBy: jsonb('opened_by').$type<Opener>(),
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
