import { log } from '@temporalio/activity';
import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import type { Database } from '../../db/client.ts';
import { selectRunningSyncs } from '../../db/queries/integrations.ts';
import { selectParked } from '../../db/queries/syncs.ts';
import type { SyncsTold, TellingActivities } from '../../workflows/contracts/telling.ts';
import { importRepositoryWorkflowId, syncRepositoryWorkflowId } from '../../workflows/ids.ts';
import { changed, servicesChanged, setPaused } from '../../workflows/messages.ts';
import { withHeartbeats } from '../heartbeats.ts';

/** How many repositories are told in one go. */
const TOLD_AT_ONCE = 500;
/** How many of them at the same time: a pause of 10,000 syncs is heard within seconds. */
const SIDE_BY_SIDE = 20;

/** Signals of the integration to the runs of its repositories. Each may be sent again after its answer was lost. */
export function createTellingActivities({
  database,
  client,
}: {
  database: Database;
  /** of Temporal */
  client: Client;
}): TellingActivities {
  type Run = ReturnType<Client['workflow']['getHandle']>;

  /** Throws the signal's reason when aborted: an attempt that is over must not go on beside the one in its place. */
  async function tellAll<Told>(
    all: readonly Told[],
    signal: AbortSignal,
    tellOne: (one: Told) => Promise<void>,
  ): Promise<void> {
    for (let at = 0; at < all.length; at += SIDE_BY_SIDE) {
      signal.throwIfAborted();
      await Promise.all(all.slice(at, at + SIDE_BY_SIDE).map(tellOne));
    }
  }

  async function tell(workflowId: string, send: (run: Run) => Promise<void>): Promise<void> {
    try {
      await send(client.workflow.getHandle(workflowId));
    } catch (error) {
      if (!(error instanceof WorkflowNotFoundError)) throw error;
      log.debug('A run could not be told', { workflowId });
    }
  }

  return {
    tellSyncs: ({ organizationId, integrationId, after, told }) =>
      withHeartbeats(async (signal) => {
        const syncs = await database.transaction(organizationId, (tx) =>
          selectRunningSyncs(tx, integrationId, { after, limit: TOLD_AT_ONCE }),
        );
        await tellAll(syncs, signal, ({ importId, repositoryId }) =>
          tell(importRepositoryWorkflowId(repositoryId), (run) => saySync(run, importId, told)),
        );
        return { after: nextOf(syncs)?.importId ?? null };
      }),

    wakeParked: ({ organizationId, integrationId, after }) =>
      withHeartbeats(async (signal) => {
        const parked = await database.transaction(organizationId, (tx) =>
          selectParked(tx, { integrationId, after, limit: TOLD_AT_ONCE }),
        );
        await tellAll(parked, signal, (repositoryId) =>
          // Nothing new is wanted of it; a person stands behind a new credential.
          tell(syncRepositoryWorkflowId(repositoryId), (run) =>
            run.signal(changed, { services: [], by: 'person' }),
          ),
        );
        return { after: nextOf(parked) ?? null };
      }),
  };

  function saySync(run: Run, importId: string, told: SyncsTold): Promise<void> {
    if (told.signal === 'servicesChanged') return run.signal(servicesChanged, { importId });
    const { reason, version } = told;
    return run.signal(setPaused, { paused: reason !== null, reason, importId, version });
  }
}

/** Behind which one the next go begins; undefined: these were the last. */
const nextOf = <Told>(told: readonly Told[]): Told | undefined =>
  told.length < TOLD_AT_ONCE ? undefined : told.at(-1);
