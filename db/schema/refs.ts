import { boolean, foreignKey, pgTable, primaryKey, text } from 'drizzle-orm/pg-core';
import { instant, organizationId, repositoryId } from './columns.ts';
import { repositories } from './discovery.ts';

export const branches = pgTable(
  'branches',
  {
    organizationId: organizationId(),
    repositoryId: repositoryId(),
    name: text('name').notNull(),
    targetHash: text('target_hash').notNull(),
    observedAt: instant('observed_at').notNull(),
    /** a list of the API lacked it first, and nothing has shown it since */
    missingSince: instant('missing_since'),
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
    /** a list of the API lacked it first, and nothing has shown it since */
    missingSince: instant('missing_since'),
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
