import { sql } from 'drizzle-orm';
import {
  boolean,
  check,
  date,
  foreignKey,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  text,
  unique,
  uniqueIndex,
  uuid,
} from 'drizzle-orm/pg-core';
import {
  DELIVERY_OUTCOMES,
  WEBHOOK_SCOPES,
  WEBHOOK_STATES,
  type DeliveryOutcome,
  type Finding,
  type WebhookScope,
  type WebhookState,
} from '../../workflows/words.ts';
import { bytes, createdAt, instant, oneOf, organizationId, word } from './columns.ts';
import { repositories, workspaces } from './discovery.ts';
import { integrations } from './integrations.ts';

/** A webhook of ours at Bitbucket, wanted or registered: of a workspace, or of one repository. */
export const webhooks = pgTable(
  'webhooks',
  {
    id: uuid('id').primaryKey(),
    organizationId: organizationId(),
    integrationId: uuid('integration_id').notNull(),
    scope: word<WebhookScope>('scope').notNull(),
    /** the workspace of the hook, or of the hook's repository when the row was made */
    workspaceId: uuid('workspace_id').notNull(),
    /** null: the hook is the workspace's */
    repositoryId: uuid('repository_id'),
    /** Bitbucket's uuid of the hook; null until known */
    providerUuid: text('provider_uuid'),
    /** Bitbucket was asked to make one and has not been heard since: there may be a hook that `providerUuid` does not name */
    maybeMade: boolean('maybe_made').notNull().default(false),
    /** 256 random bits in base64url: the last part of the URL that Bitbucket delivers to */
    token: text('token').notNull().unique(),
    /** which secret signs: it is derived from the webhook key, the integration and this number */
    generation: integer('generation').notNull().default(1),
    /** the secret of `generation - 1` is taken until then; null: it is not */
    previousGenerationUntil: instant('previous_generation_until'),
    state: word<WebhookState>('state').notNull().default('pending'),
    /** event keys that it is subscribed to */
    events: text('events').array().notNull().default(sql`'{}'`),
    /** why it is not active */
    lastError: jsonb('last_error').$type<Finding>(),
    /** of the newest delivery, to the minute */
    lastDeliveryAt: instant('last_delivery_at'),
    /** since when it stands at Bitbucket as it does, with these events; null: it never did, or that is not known */
    watchingSince: instant('watching_since'),
    /**
     * since when polls find changes that it should have told of: how many, and when Bitbucket says that the newest of them
     * was made. null: none, or it has delivered again
     */
    missingSince: instant('missing_since'),
    missingChanges: integer('missing_changes').notNull().default(0),
    missingChangedAt: instant('missing_changed_at'),
    /** when it was last looked up at Bitbucket */
    lastCheckedAt: instant('last_checked_at'),
    createdAt: createdAt(),
    updatedAt: instant('updated_at').notNull().default(sql`clock_timestamp()`),
  },
  (t) => [
    oneOf('webhooks_scope', t.scope, WEBHOOK_SCOPES),
    oneOf('webhooks_state', t.state, WEBHOOK_STATES),
    check('webhooks_target', sql`(${t.scope} = 'repository') = (${t.repositoryId} is not null)`),
    check('webhooks_token', sql`length(${t.token}) >= 43`),
    unique('webhooks_in_organization').on(t.organizationId, t.id),
    // Whoever removes one of these asks, as foreign keys do, which hooks there are.
    index('webhooks_of_integration').on(t.organizationId, t.integrationId, t.id),
    index('webhooks_by_repository').on(t.organizationId, t.repositoryId),
    index('webhooks_by_workspace').on(t.organizationId, t.workspaceId),
    index('webhooks_missing').on(t.organizationId, t.integrationId).where(sql`${t.missingSince} is not null`),
    uniqueIndex('webhooks_of_workspace')
      .on(t.organizationId, t.integrationId, t.workspaceId)
      .where(sql`${t.repositoryId} is null`),
    uniqueIndex('webhooks_of_repository')
      .on(t.organizationId, t.integrationId, t.repositoryId)
      .where(sql`${t.repositoryId} is not null`),
    foreignKey({
      name: 'webhooks_integration',
      columns: [t.organizationId, t.integrationId],
      foreignColumns: [integrations.organizationId, integrations.id],
    }).onDelete('cascade'),
    foreignKey({
      name: 'webhooks_workspace',
      columns: [t.organizationId, t.workspaceId],
      foreignColumns: [workspaces.organizationId, workspaces.id],
    }).onDelete('cascade'),
    foreignKey({
      name: 'webhooks_repository',
      columns: [t.organizationId, t.repositoryId],
      foreignColumns: [repositories.organizationId, repositories.id],
    }).onDelete('cascade'),
  ],
);

/**
 * What Bitbucket delivered, as it was signed; partitioned by day and dropped after seven (the migration that made it says
 * how). `id` is worked out from hook, event and body, so the same delivery again finds its row of that day.
 */
export const webhookDeliveries = pgTable(
  'webhook_deliveries',
  {
    organizationId: organizationId(),
    /** the UTC day of `received_at` */
    receivedOn: date('received_on').notNull().default(sql`(clock_timestamp() at time zone 'UTC')::date`),
    id: uuid('id').notNull(),
    webhookId: uuid('webhook_id').notNull(),
    integrationId: uuid('integration_id').notNull(),
    receivedAt: instant('received_at').notNull().default(sql`clock_timestamp()`),
    /** how often the same body came again that day, and when last */
    repeats: integer('repeats').notNull().default(0),
    repeatedAt: instant('repeated_at'),
    /** `X-Event-Key` */
    eventKey: text('event_key').notNull(),
    /** `X-Request-UUID` and `X-Attempt-Number` of the first: said by the sender, not signed */
    requestUuid: text('request_uuid'),
    attempt: integer('attempt').notNull().default(1),
    /** the bytes that the signature covers */
    body: bytes('body').notNull(),
    /** what the relay needs to know of the body; null: it does not say, or is no JSON */
    repositoryUuid: text('repository_uuid'),
    pullRequestState: text('pull_request_state'),
    pullRequestNumber: integer('pull_request_number'),
    /** when the relay may take it up: at once, or when the lease of a relay that holds it ends. null: it is done */
    dueAt: instant('due_at').default(sql`clock_timestamp()`),
    processedAt: instant('processed_at'),
    outcome: word<DeliveryOutcome>('outcome'),
    /** why it was ignored */
    reason: text('reason'),
  },
  (t) => [
    // Begins with the webhook, so that one that is removed finds its deliveries.
    primaryKey({
      name: 'webhook_deliveries_key',
      columns: [t.organizationId, t.webhookId, t.receivedOn, t.id],
    }),
    oneOf('webhook_deliveries_outcome', t.outcome, DELIVERY_OUTCOMES),
    foreignKey({
      name: 'webhook_deliveries_webhook',
      columns: [t.organizationId, t.webhookId],
      foreignColumns: [webhooks.organizationId, webhooks.id],
    }).onDelete('cascade'),
    index('webhook_deliveries_due').on(t.dueAt).where(sql`${t.dueAt} is not null`),
  ],
);

/** When deliveries last woke a repository's sync, or asked for the discovery of an integration: for all workers, so that none does it too often. */
export const webhookWakes = pgTable(
  'webhook_wakes',
  {
    organizationId: organizationId(),
    integrationId: uuid('integration_id').notNull(),
    /** null: the discovery of the integration */
    repositoryId: uuid('repository_id'),
    wokenAt: instant('woken_at').notNull(),
  },
  (t) => [
    index('webhook_wakes_of_repository').on(t.organizationId, t.repositoryId),
    unique('webhook_wakes_target').on(t.organizationId, t.integrationId, t.repositoryId).nullsNotDistinct(),
    foreignKey({
      name: 'webhook_wakes_integration',
      columns: [t.organizationId, t.integrationId],
      foreignColumns: [integrations.organizationId, integrations.id],
    }).onDelete('cascade'),
    foreignKey({
      name: 'webhook_wakes_repository',
      columns: [t.organizationId, t.repositoryId],
      foreignColumns: [repositories.organizationId, repositories.id],
    }).onDelete('cascade'),
  ],
);
