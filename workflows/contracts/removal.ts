import type { OfIntegration, Tenant } from './tenant.ts';
import type { Actor } from '../messages.ts';

/** What is removed: an integration with all that is its own, or what was imported of one repository. */
export type Removal = Tenant &
  ({ integrationId: string; repositoryId?: undefined } | { repositoryId: string; integrationId?: undefined });

type OfRemovedRepository = Tenant & { repositoryId: string };

/** The steps of a removal. Each may run again. Queue: ingestion. */
export interface RemovalActivities {
  /** Notes the removal, and that the imports of the integration are cancelled. `gone`: there is no such integration. */
  beginDisconnect(input: OfIntegration & { actor: Actor }): Promise<{ gone: boolean }>;
  /**
   * Marks the repository as removed, with an entry in the audit trail, and ends it as cancelled in every import that has
   * not ended it: those are to be told. `integrationId`: whose it was, with a webhook perhaps. `null`: there is no such
   * repository.
   */
  beginRepositoryRemoval(
    input: OfRemovedRepository & { actor: Actor },
  ): Promise<{ importIds: string[]; integrationId: string | null } | null>;
  /** Deletes the Temporal Schedule that polls for the integration; none is fine. */
  deleteSchedule(input: OfIntegration): Promise<void>;
  /**
   * Asks the runs that work for what is removed to end, and terminates those that have not after `graceMs`. Returns when
   * none runs any more.
   */
  endRuns(input: Removal & { graceMs: number }): Promise<{ terminated: number }>;
  /**
   * Removes what webhooks of the integration, or of one of its repositories, delivered, in bounded chunks: a hook's row takes
   * what is left of them along.
   */
  purgeDeliveries(input: OfIntegration & { repositoryId: string | null }): Promise<{ done: boolean }>;
  /** Says that the webhooks are removed at Bitbucket now. */
  beginWebhookRemoval(input: Removal): Promise<void>;
  /** Removes the secrets of the integration. */
  shredSecrets(input: OfIntegration): Promise<void>;
  /** Hands repositories over to integrations that see them too, in bounded chunks. `done`: all are looked at. */
  handOverRepositories(input: OfIntegration): Promise<{ done: boolean }>;
  /** Counts what is to be removed, for the progress. */
  countRows(input: Removal): Promise<{ rows: number }>;
  /** Removes the row of the integration: its name is free, every route answers 404. */
  finishDisconnect(input: OfIntegration & { actor: Actor }): Promise<void>;
  /** Ends the removal: the repository is one that was discovered and never imported. */
  finishRepositoryRemoval(input: OfRemovedRepository & { actor: Actor }): Promise<void>;
}

/** Queue: bitbucket, whose workers have the clones on their disks. */
export interface PurgeActivities {
  /** Removes rows in transactions of at most 5,000, for two minutes at most, and the clones on this worker's disk. */
  purgeRows(input: Removal): Promise<{ done: boolean }>;
}
