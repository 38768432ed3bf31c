import { expect, test } from 'vitest';
import { importRepositoryWorkflowId } from '../../workflows/ids.ts';
import * as messages from '../../workflows/messages.ts';
import { failureOf } from '../support/fakeBitbucket.ts';
import { repositoryRun, startImportRun } from '../support/importBench.ts';
import type { TestTenant } from '../support/integrationRows.ts';
import { hint, importedRepository, syncRow, untilSyncRow } from '../support/syncBench.ts';
import {
  actor,
  type BenchRun,
  command,
  eventsOfOnlyRun,
  handleOf,
  integrationGoesOn,
  useWorkflowBench,
} from '../support/workflowBench.ts';

/** What made a repository fail may be over before its time: nobody waits for hours then. */
const bench = useWorkflowBench();

async function parked(run: BenchRun, tenant: TestTenant) {
  const id = await importedRepository(bench, tenant);
  run.bitbucket.chunks.set(id, [failureOf('NotFound'), { done: true }, { done: true }]);
  const timing = { firstParkedMs: 3_600_000, mostParkedMs: 3_600_000 };
  const handle = await hint(run, tenant, id, { services: ['pull_requests'], timing });
  await untilSyncRow(bench.sql, id, 'it is parked', (row) => row?.failures === 1);
  return { id, handle };
}

const HEALTHY = { failures: 0, last_error: null, next_attempt_at: null };

test('an import that succeeds has a parked repository tried again at once', async () => {
  await bench.run(async (run) => {
    const tenant = await bench.tenant('active');
    const { id, handle } = await parked(run, tenant);
    const importing = await startImportRun(
      run,
      tenant,
      await tenant.storeImport({ repositories: [id] }, 'full'),
    );
    await importing.result();
    const { runId: wholeRun } = await repositoryRun(run, id).describe();
    await handle.result();
    expect(await syncRow(bench.sql, id)).toMatchObject(HEALTHY);
    await run.record('import-wakes-parked', importRepositoryWorkflowId(id), wholeRun);
  });
});

// More than one go tells, before and behind the one whose run is there.
test.each([0, 1_100])(
  'a credential that is adopted has it tried again at once, beside %i others',
  async (others) => {
    const tenant = await bench.tenant('active');
    await bench.run(async (run) => {
      const { id, handle } = await parked(run, tenant);
      await tenant.repositories(others);
      await bench.sql`update repositories set integration_id = ${tenant.integrationId}
      where organization_id = ${tenant.organizationId}`;
      await bench.sql`insert into repository_syncs (organization_id, repository_id, failures, next_attempt_at)
      select organization_id, id, 1, now() + interval '1 hour' from repositories
      where organization_id = ${tenant.organizationId} and id <> ${id}`;
      await command(run, tenant, messages.submitCredential, { ...(await tenant.credential()), actor });
      await handle.result();
      expect(await syncRow(bench.sql, id)).toMatchObject(HEALTHY);
      expect(await eventsOfOnlyRun(run.client, tenant)).toBeLessThan(200);
      if (others === 0) await run.record('parked-woken-by-activity', handleOf(run.client, tenant).workflowId);
    }, integrationGoesOn(tenant));
  },
);
