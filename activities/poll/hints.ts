import type { Client } from '@temporalio/client';
import type { OfIntegration } from '../../workflows/contracts/tenant.ts';
import { syncStart } from '../../workflows/syncStart.ts';
import type { Service, SyncTrigger } from '../../workflows/words.ts';

/** Repositories that may have changed, and in what. */
export interface Hints {
  repositories: readonly { repositoryId: string; fullName: string }[];
  services: Service[];
  by: SyncTrigger;
}

/**
 * Tells the runs that keep repositories up to date; each is started where there is none. Throws the signal's reason when
 * aborted: an attempt that is over must not go on beside the one that took its place.
 */
export type TellSyncs = (integration: OfIntegration, hints: Hints, signal: AbortSignal) => Promise<void>;

export const createTellSyncs =
  (client: Client, taskQueue: string): TellSyncs =>
  async ({ organizationId, integrationId }, { repositories, services, by }, signal) => {
    for (const { repositoryId, fullName } of repositories) {
      signal.throwIfAborted();
      const hint = { organizationId, integrationId, repositoryId, fullName, services, by };
      await client.workflow.signalWithStart('syncRepository', syncStart(hint, taskQueue));
    }
  };
