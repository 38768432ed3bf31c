import { patched } from '@temporalio/workflow';
import {
  discoveryWorkflowId,
  importRepositoryWorkflowId,
  importWorkflowId,
  lookUpWorkflowId,
  webhooksWorkflowId,
} from '../ids.ts';
import { tell } from '../import/tell.ts';
import type { PauseReason } from '../inputs.ts';
import { servicesChanged, setPaused, webhooksCommanded } from '../messages.ts';
import { manySignals, rows } from '../policies.ts';
import { wakeParked } from '../wakeParked.ts';
import type { IntegrationActivities } from '../contracts/integration.ts';
import type { SyncsTold } from '../contracts/telling.ts';
import type { Entity } from './entity.ts';
import { tenantOf } from './tenant.ts';

/** From then on a pause reaches syncs and the discovery too, not imports alone. */
const TELLS_ALL = 'pause-reaches-syncs-and-discovery';

/** From then on repositories that a webhook says are new are looked up by a run of its own. */
const TELLS_LOOK_UPS = 'pause-reaches-look-ups';

/** From then on an activity sends what thousands of runs are told: its sender's history has room for some hundred. */
const TOLD_BY_ACTIVITY = 'told-by-activity';

/** From then on webhooks subscribe to the events of a service as soon as it is switched on. */
const WAKES_WEBHOOKS = 'services-wake-webhooks';

const SIGNALS_AT_ONCE = 500;

/**
 * Tells what is under way to wait at its checkpoints, or to go on. Behind the row's new state: what begins at this moment
 * reads it there. A run that ended meanwhile, or never began, is no harm: its row says so.
 */
export async function tellRuns(entity: Entity, pause: PauseReason | null): Promise<void> {
  const { integrationId, version } = entity.snapshot;
  const message = { paused: pause !== null, reason: pause };
  for (const importId of entity.importIds) {
    await tell(importWorkflowId(importId), (handle) => handle.signal(setPaused, message));
  }
  if (!patched(TELLS_ALL)) return;
  await tell(discoveryWorkflowId(integrationId), (handle) => handle.signal(setPaused, message));
  if (patched(TELLS_LOOK_UPS)) {
    await tell(lookUpWorkflowId(integrationId), (handle) => handle.signal(setPaused, message));
  }
  await tellSyncs(entity, { signal: 'setPaused', reason: pause, version });
}

/** Tells what is under way to go on with the streams that are wanted now. */
export async function tellServicesChanged(entity: Entity): Promise<void> {
  for (const importId of entity.importIds) {
    await tell(importWorkflowId(importId), (handle) => handle.signal(servicesChanged, { importId }));
  }
  await tellSyncs(entity, { signal: 'servicesChanged' });
}

/** Has the webhooks looked up at once, where the integration wants any: else there is no such run. */
export async function wakeWebhooks(entity: Entity): Promise<void> {
  if (!patched(WAKES_WEBHOOKS)) return;
  const { integrationId } = entity.snapshot;
  await tell(webhooksWorkflowId(integrationId), (handle) => handle.signal(webhooksCommanded));
}

async function tellSyncs(entity: Entity, told: SyncsTold): Promise<void> {
  if (!patched(TOLD_BY_ACTIVITY)) return tellSyncsHere(entity, told);
  await throughAll((after) =>
    manySignals().tellSyncs.executeWithOptions({ summary: 'tell the syncs under way' }, [
      { ...tenantOf(entity), after, told },
    ]),
  );
}

/** Has repositories that wait because they failed tried again at once. */
export async function wakeAllParked(entity: Entity): Promise<void> {
  if (!patched(TOLD_BY_ACTIVITY)) return wakeAllParkedHere(entity);
  await throughAll((after) =>
    manySignals().wakeParked.executeWithOptions(
      { summary: 'wake repositories that wait because they failed' },
      [{ ...tenantOf(entity), after }],
    ),
  );
}

async function throughAll(
  tellNext: (after: string | null) => Promise<{ after: string | null }>,
): Promise<void> {
  let after: string | null = null;
  do ({ after } = await tellNext(after));
  while (after !== null);
}

/**
 * As runs from before `TOLD_BY_ACTIVITY` do it. A group at a time: more than 2,000 signals that a run has sent and that
 * have not arrived fail its task, for ever (`limit.numPendingSignals.error`).
 */
async function tellSyncsHere(entity: Entity, told: SyncsTold): Promise<void> {
  const { syncs } = await rows().runningSyncs.executeWithOptions({ summary: 'which syncs are under way' }, [
    tenantOf(entity),
  ]);
  for (let at = 0; at < syncs.length; at += SIGNALS_AT_ONCE) {
    await Promise.all(
      syncs.slice(at, at + SIGNALS_AT_ONCE).map(({ importId, repositoryId }) =>
        tell(importRepositoryWorkflowId(repositoryId), (handle) => {
          if (told.signal === 'servicesChanged') return handle.signal(servicesChanged, { importId });
          const { reason } = told;
          return handle.signal(setPaused, { paused: reason !== null, reason, importId });
        }),
      ),
    );
  }
}

async function wakeAllParkedHere(entity: Entity): Promise<void> {
  let after: string | null = null;
  do {
    const options = { summary: 'which repositories wait because they failed' };
    const group: Awaited<ReturnType<IntegrationActivities['parkedRepositories']>> =
      await rows().parkedRepositories.executeWithOptions(options, [{ ...tenantOf(entity), after }]);
    await Promise.all(group.repositoryIds.map(wakeParked));
    after = group.next;
  } while (after !== null);
}
