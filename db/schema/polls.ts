import { foreignKey, index, integer, jsonb, pgTable, primaryKey, text, uuid } from 'drizzle-orm/pg-core';
import type { Finding } from '../../workflows/words.ts';
import { instant, oneOf, organizationId, word } from './columns.ts';
import { integrations } from './integrations.ts';
import { workspaces } from './discovery.ts';

const METHODS = ['authors', 'repositories'] as const;

/** How an integration is polled: one row, made by its first round. */
export const integrationPolls = pgTable(
  'integration_polls',
  {
    organizationId: organizationId(),
    integrationId: uuid('integration_id').notNull(),
    /** milliseconds between the begins of two rounds: longer than asked for where the allowance is too small; null: not known yet */
    effectiveIntervalMs: integer('effective_interval_ms'),
    lastStartedAt: instant('last_started_at'),
    /** the workflow's run whose round began last, and the place that it was given: asked again, it is given the same */
    lastRun: text('last_run'),
    lastPlace: text('last_place'),
    lastFinishedAt: instant('last_finished_at'),
    /** requests of the last round (of one that broke off no fewer than of the one before), and repositories that it found changed */
    requests: integer('requests').notNull().default(0),
    found: integer('found').notNull().default(0),
    lastError: jsonb('last_error').$type<Finding>(),
  },
  (t) => [
    primaryKey({ columns: [t.organizationId, t.integrationId] }),
    foreignKey({
      name: 'integration_polls_integration',
      columns: [t.organizationId, t.integrationId],
      foreignColumns: [integrations.organizationId, integrations.id],
    }).onDelete('cascade'),
  ],
);

/** How far the polls of a workspace are. */
export const workspacePolls = pgTable(
  'workspace_polls',
  {
    organizationId: organizationId(),
    integrationId: uuid('integration_id').notNull(),
    workspaceId: uuid('workspace_id').notNull(),
    /** what changed before this was found, by Bitbucket's clock */
    since: instant('since'),
    /** when its members were last listed */
    membersReadAt: instant('members_read_at'),
    /** when all of its authors were given up, since Bitbucket shows what none of them wrote: for days it is asked by repository */
    authorsRefusedAt: instant('authors_refused_at'),
    /** how changed pull requests were found in the last round */
    method: word<(typeof METHODS)[number]>('method'),
  },
  (t) => [
    primaryKey({ columns: [t.organizationId, t.integrationId, t.workspaceId] }),
    index('workspace_polls_of_workspace').on(t.organizationId, t.workspaceId),
    oneOf('workspace_polls_method', t.method, METHODS),
    foreignKey({
      name: 'workspace_polls_integration',
      columns: [t.organizationId, t.integrationId],
      foreignColumns: [integrations.organizationId, integrations.id],
    }).onDelete('cascade'),
    foreignKey({
      name: 'workspace_polls_workspace',
      columns: [t.organizationId, t.workspaceId],
      foreignColumns: [workspaces.organizationId, workspaces.id],
    }).onDelete('cascade'),
  ],
);

/** Who may write pull requests in a workspace: its members, and the authors that are known. */
export const workspaceAuthors = pgTable(
  'workspace_authors',
  {
    organizationId: organizationId(),
    workspaceId: uuid('workspace_id').notNull(),
    authorUuid: text('author_uuid').notNull(),
    seenAt: instant('seen_at').notNull(),
    /** since then Bitbucket does not show what this author wrote */
    refusedAt: instant('refused_at'),
  },
  (t) => [
    primaryKey({ columns: [t.organizationId, t.workspaceId, t.authorUuid] }),
    foreignKey({
      name: 'workspace_authors_workspace',
      columns: [t.organizationId, t.workspaceId],
      foreignColumns: [workspaces.organizationId, workspaces.id],
    }).onDelete('cascade'),
  ],
);
