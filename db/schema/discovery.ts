import { type SQL, sql } from 'drizzle-orm';
import {
  bigint,
  boolean,
  foreignKey,
  index,
  jsonb,
  pgTable,
  primaryKey,
  text,
  unique,
  uuid,
} from 'drizzle-orm/pg-core';
import { type Presence, PRESENCES } from '../../workflows/words.ts';
import { instant, oneOf, organizationId, word } from './columns.ts';
import { integrations } from './integrations.ts';
import { organizations } from './tenancy.ts';

/** Natural keys are (organization, Bitbucket uuid): slugs and names change. */
export const workspaces = pgTable(
  'workspaces',
  {
    id: uuid('id').primaryKey(),
    organizationId: organizationId().references(() => organizations.id, { onDelete: 'cascade' }),
    providerUuid: text('provider_uuid').notNull(),
    slug: text('slug').notNull(),
    name: text('name').notNull(),
    isPrivate: boolean('is_private'),
    createdOn: instant('created_on'),
    observedAt: instant('observed_at').notNull(),
  },
  (t) => [
    unique('workspaces_provider').on(t.organizationId, t.providerUuid),
    unique('workspaces_in_organization').on(t.organizationId, t.id),
  ],
);

export const projects = pgTable(
  'projects',
  {
    id: uuid('id').primaryKey(),
    organizationId: organizationId(),
    workspaceId: uuid('workspace_id').notNull(),
    providerUuid: text('provider_uuid').notNull(),
    key: text('key').notNull(),
    name: text('name').notNull(),
    description: text('description'),
    isPrivate: boolean('is_private'),
    createdOn: instant('created_on'),
    updatedOn: instant('updated_on'),
    observedAt: instant('observed_at').notNull(),
  },
  (t) => [
    unique('projects_provider').on(t.organizationId, t.providerUuid),
    unique('projects_in_organization').on(t.organizationId, t.id),
    index('projects_of_workspace').on(t.organizationId, t.workspaceId),
    foreignKey({
      name: 'projects_workspace',
      columns: [t.organizationId, t.workspaceId],
      foreignColumns: [workspaces.organizationId, workspaces.id],
    }).onDelete('cascade'),
  ],
);

export const repositories = pgTable(
  'repositories',
  {
    id: uuid('id').primaryKey(),
    organizationId: organizationId(),
    workspaceId: uuid('workspace_id').notNull(),
    projectId: uuid('project_id'),
    providerUuid: text('provider_uuid').notNull(),
    slug: text('slug').notNull(),
    name: text('name').notNull(),
    fullName: text('full_name').notNull(),
    description: text('description'),
    isPrivate: boolean('is_private').notNull(),
    language: text('language'),
    mainBranch: text('main_branch'),
    sizeBytes: bigint('size_bytes', { mode: 'number' }),
    parentUuid: text('parent_uuid'),
    /** the historic host says whether there is a tracker; null where the host no longer says */
    hasIssues: boolean('has_issues'),
    createdOn: instant('created_on'),
    updatedOn: instant('updated_on'),
    raw: jsonb('raw').notNull(),
    observedAt: instant('observed_at').notNull(),
    /** the integration whose credential fetches this repository; null until an import begins */
    integrationId: uuid('integration_id'),
    firstImportedAt: instant('first_imported_at'),
    lastImportedAt: instant('last_imported_at'),
    /** a person removed it: stays discovered, and nothing takes it up until somebody imports it by its id */
    removedAt: instant('removed_at'),
    /** what a search looks in, in small letters; so much that an entry of the index has room for it */
    searchText: text('search_text')
      .notNull()
      .generatedAlwaysAs(
        (): SQL => sql`lower(left(${repositories.fullName} || ' ' || ${repositories.name}, 400))`,
      ),
  },
  (t) => [
    unique('repositories_provider').on(t.organizationId, t.providerUuid),
    unique('repositories_in_organization').on(t.organizationId, t.id),
    foreignKey({
      name: 'repositories_workspace',
      columns: [t.organizationId, t.workspaceId],
      foreignColumns: [workspaces.organizationId, workspaces.id],
    }).onDelete('cascade'),
    foreignKey({
      name: 'repositories_project',
      columns: [t.organizationId, t.projectId],
      foreignColumns: [projects.organizationId, projects.id],
    }),
    foreignKey({
      name: 'repositories_integration',
      columns: [t.organizationId, t.integrationId],
      foreignColumns: [integrations.organizationId, integrations.id],
    }),
    // A search reads this index alone: of ten thousand rows a table of wide ones takes several times as long.
    index('repositories_page').on(t.organizationId, t.fullName, t.id, t.searchText),
    index('repositories_of_integration').on(t.organizationId, t.integrationId, t.fullName, t.id),
    // Whoever removes a project or workspace asks, as foreign keys do, what is left in it.
    // Counting them takes the rest of the columns from the index, and not from rows that are wide.
    index('repositories_of_project').on(t.organizationId, t.projectId, t.id),
    index('repositories_of_workspace').on(t.organizationId, t.workspaceId, t.integrationId, t.id),
  ],
);

/** What one integration's account sees. Two integrations may see the same repository: one set of rows. */
export const integrationWorkspaces = pgTable(
  'integration_workspaces',
  {
    organizationId: organizationId(),
    integrationId: uuid('integration_id').notNull(),
    workspaceId: uuid('workspace_id').notNull(),
    administrator: boolean('administrator'),
    /** an excluded owner: its repositories are not offered, and neither imports of all nor auto-import take them */
    excluded: boolean('excluded').notNull().default(false),
    lastSeenAt: instant('last_seen_at').notNull().default(sql`clock_timestamp()`),
    /** the begin of the last discovery that read the list of its repositories to its end */
    listedAt: instant('listed_at'),
    /** since the end of the discovery whose list of workspaces lacked it first; null: it is listed */
    missingSince: instant('missing_since'),
  },
  (t) => [
    primaryKey({ columns: [t.organizationId, t.integrationId, t.workspaceId] }),
    index('integration_workspaces_of_workspace').on(t.organizationId, t.workspaceId),
    foreignKey({
      name: 'integration_workspaces_integration',
      columns: [t.organizationId, t.integrationId],
      foreignColumns: [integrations.organizationId, integrations.id],
    }).onDelete('cascade'),
    foreignKey({
      name: 'integration_workspaces_workspace',
      columns: [t.organizationId, t.workspaceId],
      foreignColumns: [workspaces.organizationId, workspaces.id],
    }).onDelete('cascade'),
  ],
);

export const integrationRepositories = pgTable(
  'integration_repositories',
  {
    organizationId: organizationId(),
    integrationId: uuid('integration_id').notNull(),
    repositoryId: uuid('repository_id').notNull(),
    /** when the integration saw it first; of what was seen before this was kept: the time of the migration */
    foundAt: instant('found_at').notNull().default(sql`clock_timestamp()`),
    lastSeenAt: instant('last_seen_at').notNull().default(sql`clock_timestamp()`),
    presence: word<Presence>('presence').notNull().default('present'),
    /** since when it is so; null: since it was found */
    presenceSince: instant('presence_since'),
    /** since the end of the discovery whose lists lacked it first, and not marked yet; null: it is listed */
    missingSince: instant('missing_since'),
    /** the begin of the last discovery that looks it up by itself, since two lists lack it */
    suspectedAt: instant('suspected_at'),
    /** it vanished with so many others that a person is asked */
    askedAt: instant('asked_at'),
    /** a person said that it is there all the same: nobody is asked again until it is seen */
    keptAt: instant('kept_at'),
  },
  (t) => [
    primaryKey({ columns: [t.organizationId, t.integrationId, t.repositoryId] }),
    oneOf('integration_repositories_presence', t.presence, PRESENCES),
    // What is present is counted with every look at an integration, from this alone.
    index('integration_repositories_presence').on(
      t.organizationId,
      t.integrationId,
      t.presence,
      t.repositoryId,
    ),
    index('integration_repositories_missing')
      .on(t.organizationId, t.integrationId, t.repositoryId)
      .where(sql`${t.missingSince} is not null`),
    index('integration_repositories_of_repository').on(t.organizationId, t.repositoryId),
    foreignKey({
      name: 'integration_repositories_integration',
      columns: [t.organizationId, t.integrationId],
      foreignColumns: [integrations.organizationId, integrations.id],
    }).onDelete('cascade'),
    foreignKey({
      name: 'integration_repositories_repository',
      columns: [t.organizationId, t.repositoryId],
      foreignColumns: [repositories.organizationId, repositories.id],
    }).onDelete('cascade'),
  ],
);

/** What a repository was called before: whoever looks it up by an old name finds the new one. */
export const repositoryNames = pgTable(
  'repository_names',
  {
    organizationId: organizationId(),
    repositoryId: uuid('repository_id').notNull(),
    /** with the workspace's slug before it */
    fullName: text('full_name').notNull(),
    /** when another name was seen in its place last */
    replacedAt: instant('replaced_at').notNull().default(sql`clock_timestamp()`),
  },
  (t) => [
    primaryKey({ columns: [t.organizationId, t.repositoryId, t.fullName] }),
    foreignKey({
      name: 'repository_names_repository',
      columns: [t.organizationId, t.repositoryId],
      foreignColumns: [repositories.organizationId, repositories.id],
    }).onDelete('cascade'),
  ],
);
