import type { ImportTiming } from './timing.ts';
import type { ImportMode, Service, Stream, Verdict } from './words.ts';

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
  carried?: { cursor: string | null; repositories: number };
  historyLimit?: number;
}

export interface EstimateImportInput {
  organizationId: string;
  integrationId: string;
  estimateId: string;
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
    paused: PauseReason | null;
  };
}

/** A repository whose run was started, or joined because another import's run was already there. */
export interface InHand {
  repositoryId: string;
  fullName: string;
  joined: boolean;
}

export type PauseReason = 'person' | 'needs_credential';

export interface ImportRepositoryInput {
  organizationId: string;
  integrationId: string;
  importId: string;
  repositoryId: string;
  fullName: string;
  timing?: Partial<ImportTiming>;
  carried?: {
    mode: ImportMode;
    streams: Stream[];
    gitDone: boolean;
    paused: PauseReason | null;
    progress: RepositoryProgress;
  };
}

export interface RepositoryProgress {
  records: number;
  requests: number;
  expected: number | null;
}
