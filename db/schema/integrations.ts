import { sql } from 'drizzle-orm';
import {
  foreignKey,
  index,
  integer,
  jsonb,
  pgTable,
  text,
  unique,
  uniqueIndex,
  uuid,
} from 'drizzle-orm/pg-core';
import {
  CREDENTIAL_KINDS,
  INTEGRATION_STATES,
  VERDICTS,
  type CommitSource,
  type CredentialKind,
  type Finding,
  type IntegrationState,
  type Service,
  type Verdict,
} from '../../workflows/words.ts';
import { bytes, createdAt, instant, oneOf, organizationId, word } from './columns.ts';
import { organizations } from './tenancy.ts';

const DISCOVERY_STATES = ['never', 'running', 'done', 'failed'] as const;
const CHECK_STATES = ['running', 'done'] as const;
const CREDENTIAL_STATES = ['candidate', 'active', 'shredded'] as const;
const OAUTH_FLOW_STATES = ['started', 'returned', 'completing', 'completed', 'denied', 'failed'] as const;

export interface ConnectedAccount {
  uuid: string | null;
  name: string;
  /** `user`, `workspace_access_token`, `project_access_token`, `repository_access_token` */
  kind: string;
}

export const integrations = pgTable(
  'integrations',
  {
    id: uuid('id').primaryKey(),
    organizationId: organizationId().references(() => organizations.id, { onDelete: 'cascade' }),
    provider: text('provider').notNull().default('bitbucket_cloud'),
    /** null until created */
    name: text('name'),
    state: word<IntegrationState>('state').notNull().default('awaiting_credential'),
    /** why it is in this state, where that needs saying */
    reason: jsonb('reason').$type<Finding>(),
    /** compare-and-set by the entity workflow */
    version: integer('version').notNull().default(1),
    services: text('services').array().$type<Service[]>().notNull().default(sql`'{}'`),
    allowedServices: text('allowed_services').array().$type<Service[]>().notNull().default(sql`'{}'`),
    commitSource: text('commit_source').$type<CommitSource>().notNull().default('git'),
    connectedAccount: jsonb('connected_account').$type<ConnectedAccount>(),
    /** the one before, where a new credential belongs to another account; `until` is when that signed first */
    previousAccount: jsonb('previous_account').$type<ConnectedAccount & { until: string }>(),
    credentialId: uuid('credential_id'),
    lastCheckId: uuid('last_check_id'),
    discoveryState: word<(typeof DISCOVERY_STATES)[number]>('discovery_state').notNull().default('never'),
    discoveryError: jsonb('discovery_error').$type<Finding>(),
    lastDiscoveryAt: instant('last_discovery_at'),
    /** the last one, however it ended */
    discoveryStartedAt: instant('discovery_started_at'),
    /** a draft untouched for 7 days expires; null once created */
    draftExpiresAt: instant('draft_expires_at'),
    /** API key and, behind it, the person of the `Acting-User` header */
    createdByKey: uuid('created_by_key'),
    createdByUser: text('created_by_user'),
    createdAt: createdAt(),
    updatedAt: instant('updated_at').notNull().default(sql`clock_timestamp()`),
  },
  (t) => [
    oneOf('integrations_state', t.state, INTEGRATION_STATES),
    oneOf('integrations_discovery_state', t.discoveryState, DISCOVERY_STATES),
    unique('integrations_in_organization').on(t.organizationId, t.id),
    uniqueIndex('integrations_name').on(t.organizationId, sql`lower(${t.name})`),
    index('integrations_page').on(t.organizationId, t.createdAt, t.id),
    index('integrations_drafts').on(t.draftExpiresAt).where(sql`${t.draftExpiresAt} is not null`),
  ],
);

/**
 * Sealed secrets, in a table of their own: no general update can blank one.
 * `owner_id` is the integration, or the check for a secret that waits with a connection check only;
 * it is part of the seal's associated data.
 */
export const credentials = pgTable(
  'credentials',
  {
    id: uuid('id').primaryKey(),
    organizationId: organizationId().references(() => organizations.id, { onDelete: 'cascade' }),
    integrationId: uuid('integration_id'),
    ownerId: uuid('owner_id').notNull(),
    kind: word<CredentialKind>('kind').notNull(),
    state: word<(typeof CREDENTIAL_STATES)[number]>('state').notNull().default('candidate'),
    /** HPKE ciphertext of one JSON object with the secret fields; null once shredded */
    sealed: bytes('sealed'),
    keyId: text('key_id').notNull(),
    /** fields that are no secret: workspace, project, repository, expires_on */
    fields: jsonb('fields').$type<Record<string, string>>().notNull().default({}),
    /** Bitbucket's account (or token) uuid; the request budget counts by it */
    accountKey: text('account_key'),
    scopes: text('scopes').array(),
    expiresOn: instant('expires_on'),
    /** so many days before its end it was last warned of: 30, 7 or 1 */
    warnedDays: integer('warned_days'),
    /** OAuth: when the access token ends, and the committed trace of a refresh under way */
    accessExpiresAt: instant('access_expires_at'),
    refreshStartedAt: instant('refresh_started_at'),
    /** rises with each new sealed value */
    version: integer('version').notNull().default(1),
    /** answers 401 in a row, and when the last of them came: three hold back what would ask with it (`activities/credentials`) */
    refusals: integer('refusals').notNull().default(0),
    refusedAt: instant('refused_at'),
    /** a secret that waits for a check is removed at the latest then */
    discardAfter: instant('discard_after'),
    createdAt: createdAt(),
  },
  (t) => [
    oneOf('credentials_kind', t.kind, CREDENTIAL_KINDS),
    oneOf('credentials_state', t.state, CREDENTIAL_STATES),
    unique('credentials_in_organization').on(t.organizationId, t.id),
    foreignKey({
      name: 'credentials_integration',
      columns: [t.organizationId, t.integrationId],
      foreignColumns: [integrations.organizationId, integrations.id],
    }).onDelete('cascade'),
    index('credentials_of_integration').on(t.organizationId, t.integrationId),
    // Whose requests count for an account: asked at each end of a poll round.
    index('credentials_of_account').on(t.accountKey).where(sql`${t.accountKey} is not null`),
    index('credentials_discard').on(t.discardAfter).where(sql`${t.discardAfter} is not null`),
  ],
);

export const connectionChecks = pgTable(
  'connection_checks',
  {
    id: uuid('id').primaryKey(),
    organizationId: organizationId().references(() => organizations.id, { onDelete: 'cascade' }),
    integrationId: uuid('integration_id'),
    credentialKind: word<CredentialKind>('credential_kind').notNull(),
    state: word<(typeof CHECK_STATES)[number]>('state').notNull().default('running'),
    verdict: word<Verdict>('verdict'),
    /** the report of design section 5.1 (shape: `activities/bitbucket/connectionCheck/report.ts`) */
    report: jsonb('report').$type<Record<string, unknown>>(),
    createdAt: createdAt(),
    finishedAt: instant('finished_at'),
  },
  (t) => [
    oneOf('connection_checks_state', t.state, CHECK_STATES),
    oneOf('connection_checks_verdict', t.verdict, VERDICTS),
    unique('connection_checks_in_organization').on(t.organizationId, t.id),
    foreignKey({
      name: 'connection_checks_integration',
      columns: [t.organizationId, t.integrationId],
      foreignColumns: [integrations.organizationId, integrations.id],
    }).onDelete('cascade'),
    index('connection_checks_of_integration').on(t.organizationId, t.integrationId, t.createdAt),
    index('connection_checks_running').on(t.createdAt).where(sql`${t.state} = 'running'`),
  ],
);

/** One trip of a browser to Bitbucket and back. `state`, code and completion are single use. */
export const oauthFlows = pgTable(
  'oauth_flows',
  {
    id: uuid('id').primaryKey(),
    organizationId: organizationId().references(() => organizations.id, { onDelete: 'cascade' }),
    integrationId: uuid('integration_id').notNull(),
    /** SHA-256 of the `state` parameter */
    stateHash: bytes('state_hash').notNull().unique(),
    sealedVerifier: bytes('sealed_verifier'),
    sealedCode: bytes('sealed_code'),
    keyId: text('key_id').notNull(),
    /** the `redirect_uri` that the browser was sent with; the token endpoint must get the same (RFC 6749 section 4.1.3) */
    redirectUri: text('redirect_uri').notNull(),
    returnUrl: text('return_url'),
    /** SHA-256 of the one-time completion handed to the browser */
    completionHash: bytes('completion_hash').unique(),
    state: word<(typeof OAUTH_FLOW_STATES)[number]>('state').notNull().default('started'),
    error: jsonb('error').$type<Finding>(),
    checkId: uuid('check_id'),
    /** since when a request completes it */
    claimedAt: instant('claimed_at'),
    startedByKey: uuid('started_by_key'),
    startedByUser: text('started_by_user'),
    createdAt: createdAt(),
    expiresAt: instant('expires_at').notNull(),
  },
  (t) => [
    oneOf('oauth_flows_state', t.state, OAUTH_FLOW_STATES),
    foreignKey({
      name: 'oauth_flows_integration',
      columns: [t.organizationId, t.integrationId],
      foreignColumns: [integrations.organizationId, integrations.id],
    }).onDelete('cascade'),
    index('oauth_flows_end').on(t.expiresAt),
    index('oauth_flows_of_integration').on(t.organizationId, t.integrationId),
  ],
);
