import type { CommitSource, CredentialKind, Finding, IntegrationState, Service, Verdict } from '../words.ts';
import type { Actor } from '../messages.ts';
import type { OfIntegration } from './tenant.ts';

/** The import by which services that were off catch up; who switched them on. */
export interface CatchUp {
  importId: string;
  services: Service[];
  actor: Actor;
}

/** Rows of the integration, written by the entity workflow. Queue: ingestion. */
export interface IntegrationActivities {
  /**
   * Compare-and-set of the row's version; applying the same change twice answers as the first time did. From the moment
   * in which a service is off, nothing of it is written any more: the epochs of its streams are raised. With `catchUp`, the
   * import by which services that were off catch up is stored beside it: of what changed, over the repositories that are
   * imported already. `catchesUp`: there are any.
   * Throws `name_taken` (non-retryable) when the name is in use in the organization.
   */
  saveIntegration(
    input: OfIntegration & {
      expectedVersion: number;
      change: {
        state?: IntegrationState;
        name?: string;
        services?: Service[];
        allowedServices?: Service[];
        reason?: Finding | null;
        /** ISO time; null once created */
        draftExpiresAt?: string | null;
        commitSource?: CommitSource;
      };
      /** `details`: in place of the change itself */
      audit?: { action: string; actor: Actor; details?: Record<string, unknown> };
      catchUp?: CatchUp;
    },
  ): Promise<{ version: number; catchesUp?: boolean }>;
  /** Stores what `saveIntegration` stores with `catchUp`, for runs that asked for it by itself. Repeatable. */
  storeCatchUp(input: OfIntegration & CatchUp): Promise<{ stored: boolean }>;
  /** Reads the row again (start of a run, after a lost answer). `null`: the integration is gone. */
  loadIntegration(input: OfIntegration): Promise<{
    state: IntegrationState;
    version: number;
    name: string | null;
    services: Service[];
    allowedServices: Service[];
    credentialKind: CredentialKind | null;
    draftExpiresAt: string | null;
    commitSource?: CommitSource;
    accountName: string | null;
    /** imports that have not ended */
    runningImportIds: string[];
  } | null>;
  /**
   * Syncs that have not ended: each is a run of `importRepository` for an import of its own. Asked for by runs begun before
   * `tellSyncs` was there; so is the next.
   */
  runningSyncs(input: OfIntegration): Promise<{ syncs: { importId: string; repositoryId: string }[] }>;
  /** Repositories that wait because they failed, by id; `next`: to ask on behind, null: these were all. */
  parkedRepositories(
    input: OfIntegration & { after: string | null },
  ): Promise<{ repositoryIds: string[]; next: string | null }>;
  /** The outcome of a check by its row. `reason`: the finding that made it fail. A row that is gone counts as failed. */
  checkOutcome(input: OfIntegration & { checkId: string }): Promise<{
    done: boolean;
    verdict: Verdict | null;
    allowedServices: Service[];
    reason: Finding | null;
  }>;
  /**
   * Makes a checked credential the one that signs, shreds the one it replaces.
   * `credentialId: null`: the candidate that the OAuth exchange stored. `otherAccount`: it belongs to another account than
   * the one before. `parked`: there are repositories that wait because they failed. `discoveryFailed`: so did the last one.
   */
  adoptCredential(
    input: OfIntegration & { credentialId: string | null; checkId: string },
  ): Promise<{ otherAccount: boolean; parked: boolean; discoveryFailed: boolean }>;
  /** How the last discovery ended. */
  lastDiscovery(input: OfIntegration): Promise<{ failed: boolean }>;
  /** Shreds a candidate that failed its check, and says why; never the credential that signs. */
  discardCredential(input: OfIntegration & { credentialId: string | null; reason?: Finding }): Promise<void>;
  /** Shreds secrets and removes the draft's rows. `actor: null`: nobody asked, it expired. */
  removeDraft(input: OfIntegration & { actor: Actor | null }): Promise<void>;
}
