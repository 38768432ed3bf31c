import type { Database, Transaction } from '../../db/client.ts';
import { noteCommand } from '../../db/queries/importControl.ts';
import { insertImportEvent } from '../../db/queries/importEvents.ts';
import { insertAuditEvent, selectIntegration, selectRunningImports } from '../../db/queries/integrations.ts';
import { countsOf } from '../../db/queries/removal/countRows.ts';
import * as progress from '../../db/queries/removal/progress.ts';
import { deleteIntegration, shredSecrets } from '../../db/queries/removal/remains.ts';
import {
  cancelInImports,
  deleteSyncs,
  markRemoved,
  releaseRemoved,
} from '../../db/queries/removal/repositories.ts';
import type { RemovalActivities } from '../../workflows/contracts/removal.ts';
import { withHeartbeats } from '../heartbeats.ts';
import { endRuns } from './endRuns.ts';
import { handOver } from './handOver.ts';
import type { CreateRun } from './purge.ts';
import { purgeDeliveries } from './purgeDeliveries.ts';
import type { RunControl } from './runControl.ts';

export interface RemovalDependencies {
  database: Database;
  runs: RunControl;
  createRun: CreateRun;
}

/** The steps of a removal that need no disk. What each does twice, it does once. */
export function createRemovalActivities({
  database,
  runs,
  createRun,
}: RemovalDependencies): RemovalActivities {
  const asTenant = <T>(
    { organizationId }: { organizationId: string },
    work: (tx: Transaction) => Promise<T>,
  ): Promise<T> => database.transaction(organizationId, work);

  return {
    beginDisconnect: ({ actor, ...integration }) =>
      asTenant(integration, async (tx) => {
        const { organizationId, integrationId } = integration;
        if ((await selectIntegration(tx, integrationId)) === undefined) return { gone: true };
        await progress.insertRemoval(tx, { organizationId, integrationId }, actor);
        const data = { why: 'Its integration is being removed', acting_user: actor.actingUser };
        for (const importId of await selectRunningImports(tx, integrationId)) {
          const { changed } = await noteCommand(tx, { importId, command: 'cancel', why: data.why });
          if (!changed) continue;
          await insertImportEvent(tx, { organizationId, importId, type: 'import_cancelling', data });
        }
        return { gone: false };
      }),

    beginRepositoryRemoval: ({ organizationId, repositoryId, actor }) =>
      asTenant({ organizationId }, async (tx) => {
        const marked = await markRemoved(tx, repositoryId);
        if (marked === undefined) return null;
        const { fullName, integrationId } = marked;
        if (await progress.insertRemoval(tx, { organizationId, repositoryId }, actor)) {
          const details = { repository_id: repositoryId, full_name: fullName };
          const action = 'repository_removal_requested';
          await insertAuditEvent(tx, { organizationId, integrationId, action, actor, details });
        }
        const importIds = await cancelInImports(tx, repositoryId);
        const data = { why: 'The repository was removed', acting_user: actor.actingUser };
        const type = 'repository_cancelled';
        for (const importId of importIds) {
          await insertImportEvent(tx, { organizationId, importId, repositoryId, type, data });
        }
        return { importIds, integrationId };
      }),

    deleteSchedule: ({ integrationId }) => runs.deleteSchedule(integrationId),

    endRuns: ({ graceMs, ...removal }) =>
      withHeartbeats((signal) => endRuns(runs, removal, { graceMs, signal })),

    purgeDeliveries: ({ repositoryId, ...integration }) =>
      withHeartbeats(async (signal) => {
        const { organizationId } = integration;
        const removed = repositoryId === null ? integration : { organizationId, repositoryId };
        const of = repositoryId === null ? integration : { ...integration, repositoryId };
        return { done: await purgeDeliveries(createRun(removed, signal), of) };
      }),

    beginWebhookRemoval: (removal) =>
      asTenant(removal, (tx) => progress.setRemovalStep(tx, removal, { step: 'webhooks' })),

    shredSecrets: ({ integrationId, ...tenant }) => asTenant(tenant, (tx) => shredSecrets(tx, integrationId)),

    handOverRepositories: (integration) =>
      withHeartbeats(async (signal) => ({
        done: await handOver(createRun(integration, signal), integration),
      })),

    countRows: (removal) =>
      withHeartbeats(async (signal) => {
        await asTenant(removal, (tx) => progress.setRemovalStep(tx, removal, { step: 'counting' }));
        let rows = 0;
        for (const count of countsOf(removal)) {
          signal.throwIfAborted();
          rows += await asTenant(removal, count);
        }
        const change = { step: 'purging', total: rows } as const;
        await asTenant(removal, (tx) => progress.setRemovalStep(tx, removal, change));
        return { rows };
      }),

    finishDisconnect: ({ actor, ...integration }) =>
      asTenant(integration, async (tx) => {
        if (!(await deleteIntegration(tx, integration.integrationId))) return;
        await insertAuditEvent(tx, { ...integration, action: 'integration_deleted', actor });
      }),

    finishRepositoryRemoval: ({ organizationId, repositoryId, actor }) =>
      asTenant({ organizationId }, async (tx) => {
        const removal = { organizationId, repositoryId };
        if (!(await progress.deleteRemoval(tx, removal))) return;
        await deleteSyncs(tx, repositoryId);
        const integrationId = await releaseRemoved(tx, repositoryId);
        const details = { repository_id: repositoryId };
        const action = 'repository_removed';
        await insertAuditEvent(tx, { organizationId, integrationId, action, actor, details });
      }),
  };
}
