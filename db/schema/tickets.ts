import { bigint, foreignKey, index, integer, jsonb, pgTable, primaryKey, text } from 'drizzle-orm/pg-core';
import { instant, organizationId, repositoryId } from './columns.ts';
import { repositories } from './discovery.ts';

export const tickets = pgTable(
  'tickets',
  {
    organizationId: organizationId(),
    repositoryId: repositoryId(),
    number: integer('number').notNull(),
    title: text('title').notNull(),
    content: text('content'),
    state: text('state').notNull(),
    kind: text('kind'),
    priority: text('priority'),
    reporterUuid: text('reporter_uuid'),
    assigneeUuid: text('assignee_uuid'),
    component: text('component'),
    milestone: text('milestone'),
    version: text('version'),
    votes: integer('votes'),
    watches: integer('watches'),
    createdOn: instant('created_on').notNull(),
    updatedOn: instant('updated_on').notNull(),
    editedOn: instant('edited_on'),
    observedAt: instant('observed_at').notNull(),
    raw: jsonb('raw').notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.organizationId, t.repositoryId, t.number] }),
    // The state first: an index that begins as the key does is taken for it while a table has no statistics (0013).
    index('tickets_by_state').on(t.state, t.organizationId, t.repositoryId, t.number),
    foreignKey({
      name: 'tickets_repository',
      columns: [t.organizationId, t.repositoryId],
      foreignColumns: [repositories.organizationId, repositories.id],
    }).onDelete('cascade'),
  ],
);

export const ticketComments = pgTable(
  'ticket_comments',
  {
    organizationId: organizationId(),
    repositoryId: repositoryId(),
    ticketNumber: integer('ticket_number').notNull(),
    commentId: bigint('comment_id', { mode: 'number' }).notNull(),
    authorUuid: text('author_uuid'),
    /** null: a change without words */
    content: text('content'),
    createdOn: instant('created_on').notNull(),
    updatedOn: instant('updated_on'),
    observedAt: instant('observed_at').notNull(),
    raw: jsonb('raw').notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.organizationId, t.repositoryId, t.ticketNumber, t.commentId] }),
    foreignKey({
      name: 'ticket_comments_repository',
      columns: [t.organizationId, t.repositoryId],
      foreignColumns: [repositories.organizationId, repositories.id],
    }).onDelete('cascade'),
  ],
);

export const ticketChanges = pgTable(
  'ticket_changes',
  {
    organizationId: organizationId(),
    repositoryId: repositoryId(),
    ticketNumber: integer('ticket_number').notNull(),
    changeId: bigint('change_id', { mode: 'number' }).notNull(),
    authorUuid: text('author_uuid'),
    /** `{field: {old, new}}` as Bitbucket sent it */
    changes: jsonb('changes').notNull(),
    message: text('message'),
    createdOn: instant('created_on').notNull(),
    observedAt: instant('observed_at').notNull(),
    raw: jsonb('raw').notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.organizationId, t.repositoryId, t.ticketNumber, t.changeId] }),
    foreignKey({
      name: 'ticket_changes_repository',
      columns: [t.organizationId, t.repositoryId],
      foreignColumns: [repositories.organizationId, repositories.id],
    }).onDelete('cascade'),
  ],
);
