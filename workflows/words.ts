/**
 * The closed lists of words that the workflows, the API and the database share.
 * The database checks the same lists (`db/schema/words.ts` re-exports them).
 */

export const INTEGRATION_STATES = [
  'awaiting_credential',
  'checking',
  'connected',
  'active',
  'paused',
  'needs_credential',
  'disconnecting',
] as const;
export type IntegrationState = (typeof INTEGRATION_STATES)[number];

export const SERVICES = ['repositories', 'pull_requests', 'tickets'] as const;
export type Service = (typeof SERVICES)[number];

export const CREDENTIAL_KINDS = ['oauth', 'api_token', 'access_token', 'basic'] as const;
export type CredentialKind = (typeof CREDENTIAL_KINDS)[number];

export const STREAMS = [
  'refs',
  'commits',
  'pull_requests',
  'pull_request_activity',
  'pull_request_comments',
  'tickets',
  'ticket_comments',
  'ticket_changes',
] as const;
export type Stream = (typeof STREAMS)[number];

export const SERVICE_OF_STREAM: Record<Stream, Service> = {
  refs: 'repositories',
  commits: 'repositories',
  pull_requests: 'pull_requests',
  pull_request_activity: 'pull_requests',
  pull_request_comments: 'pull_requests',
  tickets: 'tickets',
  ticket_comments: 'tickets',
  ticket_changes: 'tickets',
};

const streamsOf = (service: Service): readonly Stream[] =>
  STREAMS.filter((stream) => SERVICE_OF_STREAM[stream] === service);

/** Which streams a service brings in, in the order in which they are read. */
export const STREAMS_OF_SERVICE: Record<Service, readonly Stream[]> = {
  repositories: streamsOf('repositories'),
  pull_requests: streamsOf('pull_requests'),
  tickets: streamsOf('tickets'),
};

export const STREAM_STATES = [
  'never',
  'processing',
  'healthy',
  'rate_limited',
  'failed',
  'unavailable',
  'switched_off',
] as const;
export type StreamState = (typeof STREAM_STATES)[number];

/** Worst first. A repository fares as the worst of its streams; one whose syncs fail has failed. */
export const BY_URGENCY: readonly StreamState[] = [
  'failed',
  'rate_limited',
  'processing',
  'healthy',
  'unavailable',
  'switched_off',
  'never',
];

export const IMPORT_STATES = [
  'pending',
  'running',
  'rate_limited',
  'needs_credential',
  'paused',
  'completed',
  'completed_with_failures',
  'cancelled',
] as const;
export type ImportState = (typeof IMPORT_STATES)[number];

const ENDED_IMPORT_STATES: readonly ImportState[] = ['completed', 'completed_with_failures', 'cancelled'];
export const isEndedImport = (state: ImportState): boolean => ENDED_IMPORT_STATES.includes(state);

/** What a person may tell an import that runs. */
export type ImportCommand = 'pause' | 'resume' | 'cancel';

export const IMPORT_REPOSITORY_STATES = [
  'pending',
  'running',
  'rate_limited',
  'needs_credential',
  'paused',
  'completed',
  'failed',
  'cancelled',
] as const;
export type ImportRepositoryState = (typeof IMPORT_REPOSITORY_STATES)[number];

export const IMPORT_MODES = ['changed', 'full'] as const;
export type ImportMode = (typeof IMPORT_MODES)[number];

export const ESTIMATE_STATES = ['pending', 'running', 'rate_limited', 'done', 'failed'] as const;
export type EstimateState = (typeof ESTIMATE_STATES)[number];

/** How a number of an estimate is known, from the surest to the least sure. */
export const ESTIMATE_BASES = [
  'counted',
  'listed',
  'pull_requests',
  'imported_repositories',
  'repository_size',
  'sampled_repositories',
] as const;
export type EstimateBasis = (typeof ESTIMATE_BASES)[number];

export const RETRY_STATES = ['pending', 'running', 'done', 'failed'] as const;
export type RetryState = (typeof RETRY_STATES)[number];

/** Why the source does not give a record that it announces. */
export const GAP_REASONS = ['not_listed', 'gone', 'not_permitted'] as const;
export type GapReason = (typeof GAP_REASONS)[number];

/** Something a reader of the report should know of a stream: why it was read another way, what was left out. */
export interface StreamNote {
  /** one sentence for a person */
  message: string;
  /** how many records, pull requests, … it is about */
  count?: number;
}

/** What an import says of one stream, in records. */
export interface StreamCounts {
  /** null: not known */
  expected: number | null;
  stored: number;
  quarantined: number;
  gone: number;
  notPermitted: number;
}

/** What the removal of an integration or a repository is at. */
export const REMOVAL_STEPS = ['stopping', 'webhooks', 'counting', 'purging'] as const;
export type RemovalStep = (typeof REMOVAL_STEPS)[number];

/** What a run of imports is: asked for by a person, or one repository brought up to date. */
export const IMPORT_KINDS = ['import', 'sync'] as const;
export type ImportKind = (typeof IMPORT_KINDS)[number];

/** Who says that a repository may have changed. */
export const SYNC_TRIGGERS = ['webhook', 'poll', 'rotation', 'person'] as const;
export type SyncTrigger = (typeof SYNC_TRIGGERS)[number];

/** What a webhook watches at Bitbucket. */
export const WEBHOOK_SCOPES = ['workspace', 'repository'] as const;
export type WebhookScope = (typeof WEBHOOK_SCOPES)[number];

export const WEBHOOK_STATES = [
  'pending',
  'active',
  'missing',
  'inactive',
  'not_allowed',
  'failed',
  'removing',
] as const;
export type WebhookState = (typeof WEBHOOK_STATES)[number];

/**
 * How the upkeep of an integration's webhooks stands: asked for, at work, waiting for Bitbucket's limit, done until the next
 * look, or not able to do it.
 */
export const WEBHOOK_UPKEEP_STATES = ['pending', 'running', 'rate_limited', 'done', 'failed'] as const;
export type WebhookUpkeepState = (typeof WEBHOOK_UPKEEP_STATES)[number];

/** What became of a delivery: it woke a sync or a discovery, or was set aside. */
export const DELIVERY_OUTCOMES = ['woken', 'ignored'] as const;
export type DeliveryOutcome = (typeof DELIVERY_OUTCOMES)[number];

/** What a delivery told of one pull request although no list need show it: its own record, or its comments. */
export const WANTED_PARTS = ['record', 'comments'] as const;
export type WantedPart = (typeof WANTED_PARTS)[number];

/** Where branches, tags and commits are read from: a clone, or lists of the API, which keep no code and count no lines. */
export const COMMIT_SOURCES = ['git', 'api'] as const;
export type CommitSource = (typeof COMMIT_SOURCES)[number];

/** How the commits of a merged pull request are known. */
export const COMMITS_SOURCES = ['merge_commit', 'squash', 'unknown'] as const;
export type CommitsSource = (typeof COMMITS_SOURCES)[number];

export const VERDICTS = ['ok', 'ok_with_warnings', 'failed'] as const;
export type Verdict = (typeof VERDICTS)[number];

/** A finding of the connection check, or the reason why something does not go on. Never carries a secret. */
export interface Finding {
  code: string;
  /** what happened, to what */
  message: string;
  /** what the reader can do about it */
  remedy: string;
  /** facts behind it, e.g. `{ "missing": ["pullrequest"] }` */
  details?: Record<string, unknown>;
}

/** What discoveries say of a repository that an integration has seen: it is there, gone, or out of the account's reach. */
export const PRESENCES = ['present', 'gone', 'no_access'] as const;
export type Presence = (typeof PRESENCES)[number];
