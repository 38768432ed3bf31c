import { activityInfo } from '@temporalio/activity';
import type { Priority } from '@temporalio/common';
import { expect, inject, test } from 'vitest';
import { createOrchestrator } from '../../api/orchestrator.ts';
import { connectionCheckWorkflowId, importWorkflowId } from '../../workflows/ids.ts';
import * as messages from '../../workflows/messages.ts';
import type { TestTenant } from '../support/integrationRows.ts';
import { importedRepository, syncRun } from '../support/syncBench.ts';
import { waitFor } from '../support/waitFor.ts';
import { actor, command, integrationGoesOn, useWorkflowBench } from '../support/workflowBench.ts';

/** What stands in a full queue: in which order, and between whom Temporal takes turns, as the activities themselves see it. */
const bench = useWorkflowBench();

/** Tells what the next call of an activity runs with. */
function watch(activity: string): () => Promise<Priority> {
  let seen: Priority | undefined;
  bench.meanwhile(activity, {
    before: async () => {
      seen = { ...activityInfo().priority };
      delete seen.fairnessWeight;
    },
  });
  const isThere = (found: Priority | undefined): found is Priority => found !== undefined;
  return async () => {
    const found = await waitFor({ what: `${activity} runs`, read: () => seen, until: isThere });
    if (!isThere(found)) throw new Error('nothing was seen');
    return found;
  };
}

test('checks and live syncs stand before discoveries, and these before imports; integrations take turns', async () => {
  const tenants: TestTenant[] = [];
  await bench.run(
    async (run) => {
      const { temporalAddress: address, temporalNamespace: namespace } = inject('servers');
      const orchestrator = createOrchestrator({ address, namespace, taskQueue: run.taskQueue });
      try {
        for (const tenant of [await bench.tenant('active'), await bench.tenant('active')]) {
          tenants.push(tenant);
          const { organizationId, integrationId } = tenant;
          const repositoryId = await importedRepository(bench, tenant);
          const own = (priorityKey: number): Priority => ({ priorityKey, fairnessKey: integrationId });

          const importId = await tenant.storeImport({ all: true });
          const [git, chunk] = [watch('importGit'), watch('importChunk')];
          await command(run, tenant, messages.startImport, { importId, mode: 'changed', actor });
          expect([await git(), await chunk()]).toEqual([own(4), own(4)]);
          await run.client.workflow.getHandle(importWorkflowId(importId)).result();

          // The same workflow reads the repository, for whom it goes first.
          const [syncGit, syncChunk] = [watch('importGit'), watch('importChunk')];
          const services = ['repositories' as const, 'pull_requests' as const];
          const hint = { organizationId, integrationId, repositoryId, fullName: 'acme/repo-001', services };
          await orchestrator.syncRepository({ ...hint, by: 'person' });
          expect([await syncGit(), await syncChunk()]).toEqual([own(2), own(2)]);
          await syncRun(run, repositoryId).result();

          const [check, discovery] = [watch('checkConnection'), watch('discoverChunk')];
          await command(run, tenant, messages.submitCredential, { ...(await tenant.credential()), actor });
          expect(await check()).toEqual(own(1));
          await command(run, tenant, messages.discover, { actor });
          expect(await discovery()).toEqual(own(3));

          const alone = watch('checkConnection');
          const asked = await tenant.credential();
          await orchestrator.startConnectionCheck({ organizationId, ...asked });
          expect(await alone()).toEqual({ priorityKey: 1, fairnessKey: organizationId });
          await run.client.workflow.getHandle(connectionCheckWorkflowId(asked.checkId)).result();
        }
      } finally {
        await orchestrator.close();
      }
    },
    { unfinished: () => tenants.flatMap((tenant) => integrationGoesOn(tenant).unfinished()) },
  );
});
