import { WithStartWorkflowOperation } from '@temporalio/client';
import { expect, test } from 'vitest';
import { importRepositoryWorkflowId, removeRepositoryWorkflowId } from '../../../workflows/ids.ts';
import { repositoryMarked } from '../../../workflows/messages.ts';
import type { removeRepository } from '../../../workflows/removeRepository.ts';
import { fillRepository, rowsLeft } from '../../support/importedRows.ts';
import { startImportRun, untilImport, untilRepository } from '../../support/importBench.ts';
import type { TestTenant } from '../../support/integrationRows.ts';
import { waitFor } from '../../support/waitFor.ts';
import { actor, useWorkflowBench } from '../../support/workflowBench.ts';
import type { WorkflowRun } from '../../support/workflows.ts';

const bench = useWorkflowBench();

/** Asks for the removal as the api does. */
function remove({ client, taskQueue }: WorkflowRun, { organizationId }: TestTenant, repositoryId: string) {
  const startWorkflowOperation = new WithStartWorkflowOperation<typeof removeRepository>('removeRepository', {
    workflowId: removeRepositoryWorkflowId(repositoryId),
    taskQueue,
    workflowIdConflictPolicy: 'USE_EXISTING',
    args: [{ organizationId, repositoryId, fullName: 'acme/repo', actor }],
  });
  return client.workflow.executeUpdateWithStart(repositoryMarked, { startWorkflowOperation });
}

test('a repository is removed while two imports want it: both go on without it', async () => {
  await bench.run(async (run) => {
    const tenant = await bench.tenant('active');
    const { organizationId } = tenant;
    const [gone, stays] = (await tenant.repositories(2)) as [string, string];
    run.bitbucket.chunks.set(gone, [{}, 'hang']);
    const importId = await tenant.storeImport({ all: true });
    const only = await tenant.storeImport({ repositories: [gone] });
    await startImportRun(run, tenant, importId);
    await untilRepository(tenant, importId, gone, 'running', 10_000);
    await startImportRun(run, tenant, only);
    await untilRepository(tenant, only, gone, 'running', 10_000);
    await fillRepository(bench.sql, { organizationId, repositoryId: gone });

    expect(await remove(run, tenant, gone)).toEqual({ known: true });
    // Answered when it is marked: from now on nothing takes it up.
    const [row] = await bench.sql`select removed_at from repositories where id = ${gone}`;
    expect(row!['removed_at']).not.toBeNull();
    expect(await remove(run, tenant, gone)).toEqual({ known: true });
    await untilImport(tenant, importId, 'completed', 15_000);
    await untilImport(tenant, only, 'cancelled', 15_000);
    expect(await tenant.repositoryRows(importId)).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ id: gone, state: 'cancelled' }),
        expect.objectContaining({ id: stays, state: 'completed' }),
      ]),
    );
    expect((await tenant.events(importId)).filter((type) => type === 'repository_cancelled')).toHaveLength(1);
    await waitFor({
      what: 'the removal has ended',
      read: () => bench.sql`select from removals where subject_id = ${gone}`,
      until: (rows) => rows.length === 0,
    });
    expect(run.bitbucket.calls).toContain(`removeWebhooks ${gone}`);
    const { status } = await run.client.workflow.getHandle(importRepositoryWorkflowId(gone)).describe();
    expect(status.name).not.toBe('TERMINATED');
    const left = await rowsLeft(bench.sql, organizationId, gone);
    expect([left['commits'], left['streams'], left['pull_requests']]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    await run.record('removed-repository', removeRepositoryWorkflowId(gone));
  });
});

test('a repository that is not there is said to be none, and the run ends', async () => {
  await bench.run(async (run) => {
    const tenant = await bench.tenant('active');
    const nothing = tenant.integrationId;
    expect(await remove(run, tenant, nothing)).toEqual({ known: false });
  });
});
