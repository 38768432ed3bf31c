import { sql } from 'drizzle-orm';
import { bigint, foreignKey, index, integer, pgTable, primaryKey, text } from 'drizzle-orm/pg-core';
import { bytes, instant, organizationId, repositoryId } from './columns.ts';
import { repositories } from './discovery.ts';

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
