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
} from 'drizzle-orm/pg-core';
import { COMMITS_SOURCES, type CommitsSource } from '../../workflows/words.ts';
import { instant, oneOf, organizationId, repositoryId, word } from './columns.ts';
import { repositories } from './discovery.ts';

export const pullRequests = pgTable(
  'pull_requests',
  {
    organizationId: organizationId(),
    repositoryId: repositoryId(),
    number: integer('number').notNull(),
    title: text('title').notNull(),
    description: text('description'),
    /** OPEN, MERGED, DECLINED, SUPERSEDED, or a word that Bitbucket adds later */
    state: text('state').notNull(),
    draft: boolean('draft').notNull(),
    authorUuid: text('author_uuid'),
    closedByUuid: text('closed_by_uuid'),
    reason: text('reason'),
    sourceBranch: text('source_branch'),
    sourceHash: text('source_hash'),
    /** null: the fork is gone */
    sourceRepositoryUuid: text('source_repository_uuid'),
    destinationBranch: text('destination_branch'),
    destinationHash: text('destination_hash'),
    destinationRepositoryUuid: text('destination_repository_uuid'),
    mergeHash: text('merge_hash'),
    closeSourceBranch: boolean('close_source_branch'),
    commentCount: integer('comment_count'),
    taskCount: integer('task_count'),
    createdOn: instant('created_on').notNull(),
    updatedOn: instant('updated_on').notNull(),
    observedAt: instant('observed_at').notNull(),
    raw: jsonb('raw').notNull(),
    /** how `pull_request_commits` knows its commits; null: not merged, or the merge commit is not stored */
    commitsSource: word<CommitsSource>('commits_source'),
  },
  (t) => [
    primaryKey({ columns: [t.organizationId, t.repositoryId, t.number] }),
    // The state first: an index that begins as the key does is taken for it while a table has no statistics (0013).
    index('pull_requests_by_state').on(t.state, t.organizationId, t.repositoryId, t.number),
    oneOf('pull_requests_commits_source', t.commitsSource, COMMITS_SOURCES),
    foreignKey({
      name: 'pull_requests_repository',
      columns: [t.organizationId, t.repositoryId],
      foreignColumns: [repositories.organizationId, repositories.id],
    }).onDelete('cascade'),
  ],
);

/** The commits that a merged pull request brought in, as far as the history tells. */
export const pullRequestCommits = pgTable(
  'pull_request_commits',
  {
    organizationId: organizationId(),
    repositoryId: repositoryId(),
    pullRequestNumber: integer('pull_request_number').notNull(),
    commitHash: text('commit_hash').notNull(),
    source: word<CommitsSource>('source').notNull(),
  },
  (t) => [
    primaryKey({
      name: 'pull_request_commits_key',
      columns: [t.organizationId, t.repositoryId, t.pullRequestNumber, t.commitHash],
    }),
    oneOf('pull_request_commits_source', t.source, COMMITS_SOURCES),
    foreignKey({
      name: 'pull_request_commits_pull_request',
      columns: [t.organizationId, t.repositoryId, t.pullRequestNumber],
      foreignColumns: [pullRequests.organizationId, pullRequests.repositoryId, pullRequests.number],
    }).onDelete('cascade'),
  ],
);

/** Replaced as a set with its pull request: a participant who vanished is removed in the same statement. */
export const pullRequestParticipants = pgTable(
  'pull_request_participants',
  {
    organizationId: organizationId(),
    repositoryId: repositoryId(),
    pullRequestNumber: integer('pull_request_number').notNull(),
    /** `{uuid}`, or `position:N` for a removed account without one */
    accountKey: text('account_key').notNull(),
    role: text('role').notNull(),
    approved: boolean('approved').notNull(),
    state: text('state'),
    participatedOn: instant('participated_on'),
  },
  (t) => [
    primaryKey({ columns: [t.organizationId, t.repositoryId, t.pullRequestNumber, t.accountKey] }),
    foreignKey({
      name: 'pull_request_participants_pull_request',
      columns: [t.organizationId, t.repositoryId, t.pullRequestNumber],
      foreignColumns: [pullRequests.organizationId, pullRequests.repositoryId, pullRequests.number],
    }).onDelete('cascade'),
  ],
);

/**
 * Entries of the activity feed. Bitbucket gives them no id: the key is kind, time and actor (facts 3.7).
 * A comment entry is keyed by the comment's id.
 */
export const pullRequestActivity = pgTable(
  'pull_request_activity',
  {
    organizationId: organizationId(),
    repositoryId: repositoryId(),
    pullRequestNumber: integer('pull_request_number').notNull(),
    entryKey: text('entry_key').notNull(),
    /** `update`, `approval`, `changes_requested`, `comment` */
    kind: text('kind').notNull(),
    actorUuid: text('actor_uuid'),
    at: instant('at').notNull(),
    /** `update` entries: the pull request's state after it */
    state: text('state'),
    commentId: bigint('comment_id', { mode: 'number' }),
    /** without the pull request and the comment, which have rows of their own */
    raw: jsonb('raw').notNull(),
    observedAt: instant('observed_at').notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.organizationId, t.repositoryId, t.pullRequestNumber, t.entryKey] }),
    foreignKey({
      name: 'pull_request_activity_repository',
      columns: [t.organizationId, t.repositoryId],
      foreignColumns: [repositories.organizationId, repositories.id],
    }).onDelete('cascade'),
  ],
);

export const pullRequestComments = pgTable(
  'pull_request_comments',
  {
    organizationId: organizationId(),
    repositoryId: repositoryId(),
    pullRequestNumber: integer('pull_request_number').notNull(),
    commentId: bigint('comment_id', { mode: 'number' }).notNull(),
    parentId: bigint('parent_id', { mode: 'number' }),
    authorUuid: text('author_uuid'),
    content: text('content'),
    inlinePath: text('inline_path'),
    inlineFrom: integer('inline_from'),
    inlineTo: integer('inline_to'),
    deleted: boolean('deleted').notNull(),
    pending: boolean('pending').notNull(),
    resolved: boolean('resolved').notNull(),
    createdOn: instant('created_on').notNull(),
    updatedOn: instant('updated_on').notNull(),
    observedAt: instant('observed_at').notNull(),
    raw: jsonb('raw').notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.organizationId, t.repositoryId, t.pullRequestNumber, t.commentId] }),
    foreignKey({
      name: 'pull_request_comments_repository',
      columns: [t.organizationId, t.repositoryId],
      foreignColumns: [repositories.organizationId, repositories.id],
    }).onDelete('cascade'),
  ],
);
