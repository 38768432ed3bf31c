import type { Actor } from './messages.ts';
import type { ImportTiming, SyncTiming, WebhookTiming } from './timing.ts';
import type { CommitSource, ImportMode, Service, Stream, Verdict } from './words.ts';

/** Inputs and results of the short workflows; the entity's are in `messages.ts`. One JSON-safe object each. */

export interface ConnectionCheckInput {
  organizationId: string;
  /** null: a check that belongs to no integration */
  integrationId: string | null;
  checkId: string;
  /** exactly one of the two is given; a check outside an integration always has a credential */
  credentialId: string | null;
  oauthFlowId: string | null;
}

export interface ConnectionCheckResult {
  verdict: Verdict;
  allowedServices: Service[];
  /** null: the OAuth code could not be exchanged */
  credentialId: string | null;
}

export interface DiscoverIntegrationInput {
  organizationId: string;
  integrationId: string;
  /** where the walk stands; left out at the start */
  carried?: { cursor: string | null; repositories: number; paused?: PauseReason | null };
  historyLimit?: number;
  /** only these, by their uuids at Bitbucket; left out: everything */
  lookUp?: string[];
}

export interface KeepWebhooksInput {
  organizationId: string;
  integrationId: string;
  timing?: Partial<WebhookTiming>;
  /** the round in hand; left out: the run begins with one */
  carried?: { cursor: string | null };
}

export interface EstimateImportInput {
  organizationId: string;
  integrationId: string;
  estimateId: string;
  historyLimit?: number;
}

export interface RetryQuarantineInput {
  organizationId: string;
  integrationId: string;
  retryId: string;
  carried?: { tried: number; stored: number };
  historyLimit?: number;
}

export interface ImportRepositoriesInput {
  organizationId: string;
  integrationId: string;
  importId: string;
  timing?: Partial<ImportTiming>;
  carried?: {
    total: number;
    title: string;
    inHand: InHand[];
    /** what its runs were last told */
    paused: PauseReason | null;
    /** those in hand that may have been meant by a retry; left out: none */
    meant?: string[];
    control?: ImportControl;
  };
}

/** The `syncRepository` workflow, started by its first `changed`. */
export interface SyncRepositoryInput {
  organizationId: string;
  /** the one whose credential fetches the repository */
  integrationId: string;
  repositoryId: string;
  fullName: string;
  timing?: Partial<SyncTiming>;
  carried?: {
    /** hints that no round has taken up yet */
    wanted: Service[];
    /** a person asked since the last round took up what was wanted */
    asked?: boolean;
    /** the round in hand; left out: none */
    round?: SyncRound;
    /** the last round failed, and the next waits; left out: none waits */
    parked?: { until: string; failures: number };
  };
}

/** A sync that was begun: what it takes up is wanted again should it fail. */
export interface SyncRound {
  syncId: string;
  services: Service[];
}

export interface PollIntegrationInput {
  organizationId: string;
  integrationId: string;
  /** a person asked: also when a round is not due yet, and every repository by itself */
  everything?: boolean;
  carried?: { place: string | null; requests: number; found: number };
  historyLimit?: number;
}

/** How long a removal waits for runs that were asked to end; left out: 30 s. */
interface RemovalTiming {
  graceMs?: number;
}

export interface DisconnectIntegrationInput extends RemovalTiming {
  organizationId: string;
  integrationId: string;
  /** for the operator */
  name: string;
  actor: Actor;
  /** everything stands still and is counted: what is left is to remove rows */
  carried?: { purging: true };
}

export interface RemoveRepositoryInput extends RemovalTiming {
  organizationId: string;
  repositoryId: string;
  /** for the operator */
  fullName: string;
  actor: Actor;
  carried?: { purging: true };
}

/** A repository whose run was started, or joined because another import's run was already there. */
export interface InHand {
  repositoryId: string;
  fullName: string;
  joined: boolean;
  /** the first run of its chain, where this import started it */
  run?: string;
}

/** Why an import does not go on: a person paused it, its integration is paused, or has no credential that works. */
export type PauseReason = 'person' | 'integration' | 'needs_credential';

/**
 * What keeps an import from going on. A person's pause and the integration's are apart: neither undoes the other.
 */
export interface ImportControl {
  byPerson: boolean;
  byIntegration: Exclude<PauseReason, 'person'> | null;
  /** a person resumed it since it was last paused: doing so again is no mistake */
  wasResumed: boolean;
  cancelRequested: boolean;
}

/** Another import that wants the repository which a run brings in. */
export interface Wanted {
  importId: string;
  integrationId: string;
  paused: PauseReason | null;
}

export interface ImportRepositoryInput {
  organizationId: string;
  integrationId: string;
  /** the import that the run works for: its mode, its counters, its integration's credential */
  importId: string;
  /** the others that wait for it; one of them takes over when that one is paused or cancelled */
  others?: Wanted[];
  repositoryId: string;
  fullName: string;
  /** the import is paused at the start of this run */
  paused?: PauseReason | null;
  timing?: Partial<ImportTiming>;
  /** the run of its import started it, and hears of its end as of its child's: it is not told by a signal besides */
  quiet?: boolean;
  carried?: {
    mode: ImportMode;
    streams: Stream[];
    /** left out: git */
    commitSource?: CommitSource;
    gitDone: boolean;
    /** git and the API at the same time, then the links between them */
    sideBySide?: true;
    /** git, then the API, in one activity */
    small?: true;
    apiDone?: boolean;
    linksDone?: boolean;
    /** services were switched since the streams were asked for */
    outdated?: boolean;
    /** how often it had been tried again when it began */
    retries?: number;
    paused: PauseReason | null;
    progress: RepositoryProgress;
  };
}

export interface RepositoryProgress {
  records: number;
  requests: number;
  expected: number | null;
  requestsLeft?: number | null;
  /** ISO time */
  estimatedEnd?: string | null;
}
