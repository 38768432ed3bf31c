import { type ExternalWorkflowHandle, patched } from '@temporalio/workflow';
import {
  discoveryWorkflowId,
  importRepositoryWorkflowId,
  importWorkflowId,
  lookUpWorkflowId,
} from '../ids.ts';
import { tell } from '../import/tell.ts';
import type { PauseReason } from '../inputs.ts';
import { servicesChanged, setPaused } from '../messages.ts';
import { rows } from '../policies.ts';
import { wakeParked } from '../wakeParked.ts';
import type { IntegrationActivities } from '../contracts/integration.ts';
import type { Entity } from './entity.ts';

/** From then on a pause reaches syncs and the discovery too, not imports alone. */
const TELLS_ALL = 'pause-reaches-syncs-and-discovery';

/** From then on repositories that a webhook says are new are looked up by a run of its own. */
const TELLS_LOOK_UPS = 'pause-reaches-look-ups';

const SIGNALS_AT_ONCE = 500;

/**
 * Tells what is under way to wait at its checkpoints, or to go on. Behind the row's new state: what begins at this moment
 * reads it there. A run that ended meanwhile, or never began, is no harm: its row says so.
 */
export async function tellRuns(entity: Entity, pause: PauseReason | null): Promise<void> {
  const { integrationId } = entity.snapshot;
  const message = { paused: pause !== null, reason: pause };
  for (const importId of entity.importIds) {
    await tell(importWorkflowId(importId), (handle) => handle.signal(setPaused, message));
  }
  if (!patched(TELLS_ALL)) return;
  await tell(discoveryWorkflowId(integrationId), (handle) => handle.signal(setPaused, message));
  if (patched(TELLS_LOOK_UPS)) {
    await tell(lookUpWorkflowId(integrationId), (handle) => handle.signal(setPaused, message));
  }
  await tellSyncs(entity, (handle, importId) => handle.signal(setPaused, { ...message, importId }));
}

/** Tells what is under way to go on with the streams that are wanted now. */
export async function tellServicesChanged(entity: Entity): Promise<void> {
  for (const importId of entity.importIds) {
    await tell(importWorkflowId(importId), (handle) => handle.signal(servicesChanged, { importId }));
  }
  await tellSyncs(entity, (handle, importId) => handle.signal(servicesChanged, { importId }));
}

/**
 * A group at a time: more than 2,000 signals that a run has sent and that have not arrived fail its task, for ever
 * (`limit.numPendingSignals.error`).
 */
async function tellSyncs(
  entity: Entity,
  send: (handle: ExternalWorkflowHandle, importId: string) => Promise<void>,
): Promise<void> {
  const syncs = await runningSyncs(entity);
  for (let at = 0; at < syncs.length; at += SIGNALS_AT_ONCE) {
    await Promise.all(
      syncs
        .slice(at, at + SIGNALS_AT_ONCE)
        .map(({ importId, repositoryId }) =>
          tell(importRepositoryWorkflowId(repositoryId), (handle) => send(handle, importId)),
        ),
    );
  }
}

/** Has repositories that wait because they failed tried again at once, a group at a time. */
export async function wakeAllParked({ snapshot: { organizationId, integrationId } }: Entity): Promise<void> {
  let after: string | null = null;
  do {
    const options = { summary: 'which repositories wait because they failed' };
    const group: Awaited<ReturnType<IntegrationActivities['parkedRepositories']>> =
      await rows().parkedRepositories.executeWithOptions(options, [{ organizationId, integrationId, after }]);
    await Promise.all(group.repositoryIds.map(wakeParked));
    after = group.next;
  } while (after !== null);
}

async function runningSyncs({ snapshot: { organizationId, integrationId } }: Entity) {
  const { syncs } = await rows().runningSyncs.executeWithOptions({ summary: 'which syncs are under way' }, [
    { organizationId, integrationId },
  ]);
  return syncs;
}
