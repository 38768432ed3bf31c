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
  uuid,
} from 'drizzle-orm/pg-core';
import { COMMITS_SOURCES, type CommitsSource } from '../../workflows/words.ts';
import { bytes, instant, oneOf, organizationId, word } from './columns.ts';
import { repositories } from './discovery.ts';

/**
 * The imported data. Keys are (organization, repository, Bitbucket's own key). Text is stored with the
 * reversible escape of `db/text.ts`; `*_bytes` columns are set only where bytes are not valid UTF-8.
 * `updated_on` and `observed_at` guard every upsert: older data never overwrites newer.
 */

const repositoryId = () => uuid('repository_id').notNull();

/** Bitbucket accounts as last seen: authors, reviewers, commenters. */
export const accounts = pgTable(
  'accounts',
  {
    organizationId: organizationId(),
    /** `{uuid}`, as Bitbucket writes it */
    providerUuid: text('provider_uuid').notNull(),
    kind: text('kind'),
    displayName: text('display_name'),
    nickname: text('nickname'),
    accountId: text('account_id'),
    observedAt: instant('observed_at').notNull(),
  },
  (t) => [primaryKey({ columns: [t.organizationId, t.providerUuid] })],
);

export const branches = pgTable(
  'branches',
  {
    organizationId: organizationId(),
    repositoryId: repositoryId(),
    name: text('name').notNull(),
    targetHash: text('target_hash').notNull(),
    observedAt: instant('observed_at').notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.organizationId, t.repositoryId, t.name] }),
    foreignKey({
      name: 'branches_repository',
      columns: [t.organizationId, t.repositoryId],
      foreignColumns: [repositories.organizationId, repositories.id],
    }).onDelete('cascade'),
  ],
);

export const tags = pgTable(
  'tags',
  {
    organizationId: organizationId(),
    repositoryId: repositoryId(),
    name: text('name').notNull(),
    /** the commit it leads to (peeled) */
    targetHash: text('target_hash').notNull(),
    annotated: boolean('annotated').notNull(),
    message: text('message'),
    taggerName: text('tagger_name'),
    taggerEmail: text('tagger_email'),
    taggedAt: instant('tagged_at'),
    observedAt: instant('observed_at').notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.organizationId, t.repositoryId, t.name] }),
    foreignKey({
      name: 'tags_repository',
      columns: [t.organizationId, t.repositoryId],
      foreignColumns: [repositories.organizationId, repositories.id],
    }).onDelete('cascade'),
  ],
);

export const commits = pgTable(
  'commits',
  {
    organizationId: organizationId(),
    repositoryId: repositoryId(),
    hash: text('hash').notNull(),
    parentHashes: text('parent_hashes').array().notNull(),
    authorName: text('author_name').notNull(),
    authorEmail: text('author_email').notNull(),
    /** the instant; the zone it was written in stands beside it, e.g. `+0530` */
    authoredAt: instant('authored_at'),
    authorZone: text('author_zone').notNull(),
    committerName: text('committer_name').notNull(),
    committerEmail: text('committer_email').notNull(),
    committedAt: instant('committed_at'),
    committerZone: text('committer_zone').notNull(),
    message: text('message').notNull(),
    /** the raw header and message bytes where any of them is not valid UTF-8 */
    rawBytes: bytes('raw_bytes'),
    /** null where the metadata came from the API only */
    linesAdded: bigint('lines_added', { mode: 'number' }),
    linesRemoved: bigint('lines_removed', { mode: 'number' }),
    filesChanged: integer('files_changed'),
    /** since then no branch or tag leads to it: after a forced push, or a branch that was deleted */
    unreachableSince: instant('unreachable_since'),
  },
  (t) => [
    primaryKey({ columns: [t.organizationId, t.repositoryId, t.hash] }),
    index('commits_unreachable')
      .on(t.organizationId, t.repositoryId)
      .where(sql`${t.unreachableSince} is not null`),
    index('commits_page').on(t.organizationId, t.repositoryId, t.committedAt, t.hash),
    foreignKey({
      name: 'commits_repository',
      columns: [t.organizationId, t.repositoryId],
      foreignColumns: [repositories.organizationId, repositories.id],
    }).onDelete('cascade'),
  ],
);

/** One row a file a commit changes, against its first parent (a root commit: against nothing). */
export const commitFiles = pgTable(
  'commit_files',
  {
    organizationId: organizationId(),
    repositoryId: repositoryId(),
    commitHash: text('commit_hash').notNull(),
    /** 0, 1, … in git's order; the key, since a path can be longer than an index entry */
    place: integer('place').notNull(),
    path: text('path').notNull(),
    /** where it was before a rename or copy */
    oldPath: text('old_path'),
    /** null for a binary file */
    linesAdded: integer('lines_added'),
    linesRemoved: integer('lines_removed'),
  },
  (t) => [
    primaryKey({ columns: [t.organizationId, t.repositoryId, t.commitHash, t.place] }),
    // Not to the commit: until the tables have statistics Postgres plans that check by `commits_page` and reads the
    // whole repository for every file (20,000 commits: 30 s instead of 4). A page stores both in one transaction.
    foreignKey({
      name: 'commit_files_repository',
      columns: [t.organizationId, t.repositoryId],
      foreignColumns: [repositories.organizationId, repositories.id],
    }).onDelete('cascade'),
  ],
);

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
    index('pull_request_commits_of_commit').on(t.organizationId, t.repositoryId, t.commitHash),
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
