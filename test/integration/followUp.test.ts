import { describe, expect, test } from 'vitest';
import { discoveryWorkflowId } from '../../workflows/ids.ts';
import * as messages from '../../workflows/messages.ts';
import { failureOf } from '../support/fakeBitbucket.ts';
import type { TestTenant } from '../support/integrationRows.ts';
import { hint, importedRepository, untilSyncRow } from '../support/syncBench.ts';
import { waitFor } from '../support/waitFor.ts';
import {
  actor,
  type BenchRun,
  command,
  handleOf,
  integrationGoesOn,
  useWorkflowBench,
} from '../support/workflowBench.ts';

/** What a credential that Bitbucket takes has tried again of what the former one failed. */
const bench = useWorkflowBench();

type Credential = Awaited<ReturnType<TestTenant['credential']>>;
type Timing = Parameters<typeof command>[4];

/** Submits a credential; resolves when it signs. */
async function adopt(run: BenchRun, tenant: TestTenant, credential: Credential, timing?: Timing) {
  await command(run, tenant, messages.submitCredential, { ...credential, actor }, timing);
  await waitFor({
    what: 'the credential signs',
    read: () => tenant.integration(),
    until: (row) => row?.['credential_id'] === credential.credentialId,
  });
}

test('a credential of another account that is adopted in a pause is followed up behind it', async () => {
  const tenant = await bench.tenant('active');
  await bench.run(async (run) => {
    await adopt(run, tenant, await tenant.credential());
    const id = await importedRepository(bench, tenant);
    run.bitbucket.chunks.set(id, [failureOf('ScopeMissing'), { done: true }, { done: true }]);
    const timing = { firstParkedMs: 3_600_000, mostParkedMs: 3_600_000 };
    const sync = await hint(run, tenant, id, { services: ['pull_requests'], timing });
    await untilSyncRow(bench.sql, id, 'it is parked', (row) => row?.failures === 1);
    await command(run, tenant, messages.pause, { actor });
    const other = await tenant.credential();
    run.bitbucket.accounts.set(other.credentialId, { uuid: '{2}', name: 'Another account', kind: 'user' });
    await adopt(run, tenant, other);
    expect(run.bitbucket.calls).not.toContain('discoverChunk null');
    await command(run, tenant, messages.resume, { actor });
    await untilSyncRow(bench.sql, id, 'it was tried again', (row) => row?.failures === 0);
    await run.client.workflow.getHandle(discoveryWorkflowId(tenant.integrationId)).result();
    expect(run.bitbucket.calls).toContain('discoverChunk null');
    await sync.result();
    await run.record('followed-up-behind-a-pause', handleOf(run.client, tenant).workflowId);
  }, integrationGoesOn(tenant));
});

describe('a discovery that a refused credential failed is begun again', () => {
  const TIMING = { probeEveryMs: 1_000, confirmMs: 2_000 };

  /** The discovery of a credential that is in use is answered 401. */
  async function refusedDiscovery(run: BenchRun, tenant: TestTenant) {
    await adopt(run, tenant, await tenant.credential(), TIMING);
    run.bitbucket.discovery.push(failureOf('AuthRefused'));
    await command(run, tenant, messages.discover, { actor });
    await run.client.workflow.getHandle(discoveryWorkflowId(tenant.integrationId)).result();
  }

  const untilDiscovered = (tenant: TestTenant) =>
    waitFor({
      what: 'the discovery is done',
      read: () => tenant.integration(),
      until: (row) => row?.['discovery_state'] === 'done',
    });

  test('behind a new one of the same account', async () => {
    const tenant = await bench.tenant('active');
    await bench.run(async (run) => {
      run.bitbucket.probes.push(...Array.from({ length: 20 }, () => false));
      await refusedDiscovery(run, tenant);
      await waitFor({
        what: 'the refusals are confirmed',
        read: () => tenant.integration(),
        until: (row) => row?.['state'] === 'needs_credential',
      });
      await adopt(run, tenant, await tenant.credential());
      await untilDiscovered(tenant);
      expect(await tenant.integration()).toMatchObject({ state: 'active', reason: null });
    }, integrationGoesOn(tenant));
  });

  test('behind a probe that is accepted', async () => {
    const tenant = await bench.tenant('active');
    await bench.run(async (run) => {
      await refusedDiscovery(run, tenant);
      await untilDiscovered(tenant);
      expect(run.bitbucket.calls).toContain('probeCredential');
      await run.record('accepted-probe-discovers-again', handleOf(run.client, tenant).workflowId);
    }, integrationGoesOn(tenant));
  });
});
