import { ApplicationFailure } from '@temporalio/common';
import { describe, expect, test } from 'vitest';
import { CREDENTIAL_HELD } from '../../workflows/findings.ts';
import { importWorkflowId, integrationWorkflowId } from '../../workflows/ids.ts';
import * as messages from '../../workflows/messages.ts';
import { INTEGRATION_TIMING } from '../../workflows/timing.ts';
import { failureOf } from '../support/fakeBitbucket.ts';
import { EFFECTIVE_MS, untilImport } from '../support/importBench.ts';
import type { TestTenant } from '../support/integrationRows.ts';
import { waitFor } from '../support/waitFor.ts';
import {
  actor,
  type BenchRun,
  command,
  handleOf,
  integrationGoesOn,
  useWorkflowBench,
} from '../support/workflowBench.ts';

/**
 * A credential that Bitbucket refuses (reliability.md, F31), 600 times as fast: a probe every second in place of ten
 * minutes, sure after two seconds in place of twenty minutes.
 */
const TIMING = {
  probeEveryMs: INTEGRATION_TIMING.probeEveryMs / 600,
  confirmMs: INTEGRATION_TIMING.confirmMs / 600,
};
const REPOSITORIES = 4;

const bench = useWorkflowBench();

/** An import of some repositories, all of which are answered 401 in their first chunk. */
async function refusedImport(run: BenchRun, tenant: TestTenant): Promise<string> {
  for (const id of await tenant.repositories(REPOSITORIES)) {
    run.bitbucket.chunks.set(id, [{}, failureOf('AuthRefused'), { done: true }]);
  }
  const importId = await tenant.storeImport({ all: true });
  const start = { importId, mode: 'changed', actor } as const;
  await command(run, tenant, messages.startImport, start, TIMING);
  await waitFor({
    what: 'every repository is refused',
    read: () => tenant.repositoryRows(importId),
    until: (rows) => rows.length === REPOSITORIES && rows.every(({ state }) => state === 'needs_credential'),
  });
  return importId;
}

/** A chunk that asked nothing: the credential is held back over earlier refusals. */
function held(): ApplicationFailure {
  const finding = { code: CREDENTIAL_HELD, message: 'Held back.', remedy: 'Wait.' };
  return ApplicationFailure.create({ type: 'AuthRefused', nonRetryable: true, details: [finding] });
}

const chunks = ({ bitbucket }: BenchRun) =>
  bitbucket.calls.filter((call) => call.startsWith('importChunk')).length;
const probes = ({ bitbucket }: BenchRun) =>
  bitbucket.calls.filter((call) => call === 'probeCredential').length;
describe('a brownout of 15 minutes', () => {
  test('pauses nothing: one probe asks for all, and when it is accepted all go on', async () => {
    const tenant = await bench.tenant('active');
    await bench.run(async (run) => {
      run.bitbucket.probes.push(false, true);
      const importId = await refusedImport(run, tenant);
      const before = chunks(run);
      await run.client.workflow.getHandle(importWorkflowId(importId)).result();
      expect(await tenant.importRow(importId)).toMatchObject({ state: 'completed' });
      expect(await tenant.integration()).toMatchObject({ state: 'active', reason: null });
      expect(probes(run)).toBe(2);
      // Each went on with the chunk that was refused, and asked for nothing before.
      expect(chunks(run)).toBe(before + REPOSITORIES);
      const types = await bench.sql`select type from events where integration_id = ${tenant.integrationId}`;
      expect(types.map(({ type }) => type as string)).not.toContain('needs_credential');
    }, integrationGoesOn(tenant));
  });
});

test('what is held back over earlier refusals waits like what was refused, and counts as none', async () => {
  const tenant = await bench.tenant('active');
  await bench.run(async (run) => {
    const [id] = await tenant.repositories(1);
    run.bitbucket.chunks.set(id!, [{}, held(), { done: true }]);
    const importId = await tenant.storeImport({ all: true });
    const start = { importId, mode: 'changed', actor } as const;
    await command(run, tenant, messages.startImport, start, TIMING);
    await untilImport(tenant, importId, 'needs_credential', EFFECTIVE_MS);
    const { events } = await handleOf(run.client, tenant).fetchHistory();
    const signals = (events ?? []).map((event) => event.workflowExecutionSignaledEventAttributes?.signalName);
    expect(signals).not.toContain('credentialRefused');
    // Who found out that the credential is good again tells all.
    await command(run, tenant, messages.submitCredential, { ...(await tenant.credential()), actor });
    await run.client.workflow.getHandle(importWorkflowId(importId)).result();
    expect(await tenant.importRow(importId)).toMatchObject({ state: 'completed' });
  }, integrationGoesOn(tenant));
});

describe('a probe', () => {
  test('that is due in a pause comes behind it, and ends what the credential is held back for', async () => {
    const tenant = await bench.tenant('active');
    await bench.run(async (run) => {
      const [id] = await tenant.repositories(1);
      run.bitbucket.chunks.set(id!, [{}, failureOf('AuthRefused'), held(), { done: true }]);
      const importId = await tenant.storeImport({ all: true });
      const start = { importId, mode: 'changed', actor } as const;
      await command(run, tenant, messages.startImport, start, { probeEveryMs: EFFECTIVE_MS });
      await untilImport(tenant, importId, 'needs_credential', EFFECTIVE_MS);
      await command(run, tenant, messages.pause, { actor });
      await untilImport(tenant, importId, 'paused', EFFECTIVE_MS);
      await command(run, tenant, messages.resume, { actor });
      await run.client.workflow.getHandle(importWorkflowId(importId)).result();
      expect(await tenant.importRow(importId)).toMatchObject({ state: 'completed' });
      expect(probes(run)).toBe(1);
      await run.record('probe-behind-a-pause', integrationWorkflowId(tenant.integrationId));
    }, integrationGoesOn(tenant));
  });

  test('that is accepted while a person pauses the integration undoes nothing of it', async () => {
    const tenant = await bench.tenant('active');
    await bench.run(async (run) => {
      // Its run is there before the import, so all that the import is told follows from what comes.
      await command(run, tenant, messages.rename, { name: 'Early', actor }, TIMING);
      bench.meanwhile('probeCredential', { before: () => command(run, tenant, messages.pause, { actor }) });
      const importId = await refusedImport(run, tenant);
      const before = chunks(run);
      await waitFor({ what: 'it was asked', read: () => probes(run), until: (asked) => asked === 1 });
      // A command is carried out behind what the answer led to.
      await command(run, tenant, messages.rename, { name: 'Renamed', actor });
      const { events } = await handleOf(run.client, tenant).fetchHistory();
      const told = (events ?? []).filter(
        ({ signalExternalWorkflowExecutionInitiatedEventAttributes: signal }) =>
          signal?.workflowExecution?.workflowId === importWorkflowId(importId),
      );
      expect(told).toHaveLength(1);
      await untilImport(tenant, importId, 'paused', EFFECTIVE_MS);
      expect(chunks(run)).toBe(before);
      await run.record('probe-accepted-in-a-pause', integrationWorkflowId(tenant.integrationId));
      await command(run, tenant, messages.resume, { actor });
      await run.client.workflow.getHandle(importWorkflowId(importId)).result();
    }, integrationGoesOn(tenant));
  });
});

describe('a revoked credential', () => {
  test('shows once it is sure, with nothing but probes until then; one of another account goes on from the checkpoints', async () => {
    const tenant = await bench.tenant('active');
    await bench.run(async (run) => {
      const first = await tenant.credential();
      await command(run, tenant, messages.submitCredential, { ...first, actor }, TIMING);
      await waitFor({
        what: 'the first credential signs',
        read: () => tenant.integration(),
        until: (row) => row?.['connected_account'] != null,
      });
      run.bitbucket.probes.push(...Array.from({ length: 20 }, () => false));
      const importId = await refusedImport(run, tenant);
      const before = chunks(run);
      await waitFor({
        what: 'the integration needs a credential',
        read: () => tenant.integration(),
        until: (row) => row?.['state'] === 'needs_credential',
      });
      await untilImport(tenant, importId, 'needs_credential', EFFECTIVE_MS);
      expect(chunks(run)).toBe(before);
      expect(probes(run)).toBeLessThanOrEqual(3);

      const other = await tenant.credential();
      run.bitbucket.accounts.set(other.credentialId, {
        uuid: '{2}',
        name: 'Another account',
        kind: 'user',
      });
      await command(run, tenant, messages.submitCredential, { ...other, actor });
      await run.client.workflow.getHandle(importWorkflowId(importId)).result();
      expect(chunks(run)).toBe(before + REPOSITORIES);
      expect(await tenant.importRow(importId)).toMatchObject({ state: 'completed' });
      expect(await tenant.integration()).toMatchObject({
        state: 'active',
        reason: null,
        connected_account: { name: 'Another account' },
        previous_account: { uuid: '{1}', name: 'Service account', kind: 'user', until: expect.any(String) },
      });
      // It sees other repositories.
      await waitFor({
        what: 'what it sees is discovered',
        read: () => run.bitbucket.calls,
        until: (calls) => calls.includes('finishDiscovery done'),
      });
      const events = await bench.sql<{ type: string; data: Record<string, unknown> }[]>`
          select type, data from events
          where integration_id = ${tenant.integrationId} and type ~ 'credential|connected' order by xact, id`;
      expect(events.map(({ type }) => type)).toEqual([
        'credential_submitted',
        'connected',
        'needs_credential',
        'credential_submitted',
        'credential_replaced',
      ]);
      expect(events.at(-1)?.data).toMatchObject({
        account: { name: 'Another account' },
        previous_account: { name: 'Service account' },
      });
    }, integrationGoesOn(tenant));
  });
});
