import { describe, expect, test } from 'vitest';
import { importRepositoryWorkflowId, importWorkflowId, integrationWorkflowId } from '../../workflows/ids.ts';
import * as messages from '../../workflows/messages.ts';
import { callsOf } from '../support/bitbucketCalls.ts';
import { failureOf } from '../support/fakeBitbucket.ts';
import { startImportRun, untilRepository } from '../support/importBench.ts';
import { waitFor } from '../support/waitFor.ts';
import { actor, command, integrationGoesOn, useWorkflowBench } from '../support/workflowBench.ts';

/** What an import waits for: the allowance, a person, a credential. */
const bench = useWorkflowBench();

/** Not promised within a time: only that it comes. */
const SOON_MS = 60_000;

describe('an import', () => {
  test('at a limit: the row says until when, and it goes on by itself', async () => {
    const tenant = await bench.tenant('active');
    const [id] = await tenant.repositories(1);
    const importId = await tenant.storeImport({ all: true });
    await bench.run(async (run) => {
      const until = new Date(Date.now() + 2_500).toISOString();
      const limited = { until, why: 'Bitbucket allowance' };
      run.bitbucket.chunks.set(id!, [{ limited }, { done: true }]);
      const handle = await startImportRun(run, tenant, importId);
      await untilRepository(tenant, importId, id!, 'rate_limited', SOON_MS);
      expect(await tenant.importRow(importId)).toMatchObject({
        state: 'rate_limited',
        waiting_reason: 'Bitbucket allowance',
      });
      await handle.result();
      await run.record('rate-limited-repository', importRepositoryWorkflowId(id!));
      expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(until));
      expect(await tenant.importRow(importId)).toMatchObject({ state: 'completed', waiting_until: null });
      expect(await tenant.events(importId)).toContain('rate_limited');
      const { events } = await run.client.workflow.getHandle(importRepositoryWorkflowId(id!)).fetchHistory();
      const timer = events?.find((event) => event.timerStartedEventAttributes);
      const summary = JSON.parse(Buffer.from(timer!.userMetadata!.summary!.data!).toString()) as string;
      expect(summary).toMatch(/^Bitbucket allowance; goes on .*\d\d:\d\d UTC$/);
    });
  });

  test('at a limit: it goes on as soon as it is told that the allowance is free', async () => {
    const tenant = await bench.tenant('active');
    const [id] = await tenant.repositories(1);
    const importId = await tenant.storeImport({ all: true });
    await bench.run(async (run) => {
      const until = new Date(Date.now() + 3_600_000).toISOString();
      run.bitbucket.chunks.set(id!, [{ limited: { until, why: 'Bitbucket allowance' } }, { done: true }]);
      const handle = await startImportRun(run, tenant, importId);
      await untilRepository(tenant, importId, id!, 'rate_limited', SOON_MS);
      await run.client.workflow.getHandle(importRepositoryWorkflowId(id!)).signal(messages.allowanceFreed);
      await handle.result();
      expect(await tenant.importRow(importId)).toMatchObject({ state: 'completed', waiting_until: null });
      expect(callsOf(run, 'importChunk')).toHaveLength(2);
    });
  });

  test('a paused import stops at once at its checkpoint, and goes on when resumed', async () => {
    const tenant = await bench.tenant('active');
    const ids = await tenant.repositories(3);
    const importId = await tenant.storeImport({ all: true });
    await bench.run(async (run) => {
      run.bitbucket.chunks.set(ids[0]!, ['hang', { done: true }]);
      await command(run, tenant, messages.startImport, { importId, mode: 'changed', actor });
      await waitFor({
        what: 'a chunk is being read',
        read: () => run.bitbucket.calls,
        until: (calls) => calls.some((call) => call.startsWith(`importChunk ${ids[0]}`)),
      });
      await command(run, tenant, messages.pause, { actor });
      await untilRepository(tenant, importId, ids[0]!, 'paused', SOON_MS);
      expect(await tenant.importRow(importId)).toMatchObject({ state: 'paused' });
      await command(run, tenant, messages.pause, { actor });
      await run.restart();
      await command(run, tenant, messages.resume, { actor });
      await run.client.workflow.getHandle(importWorkflowId(importId)).result();
      await run.record('paused-import', importWorkflowId(importId));
      expect(await tenant.importRow(importId)).toMatchObject({ state: 'completed' });
    }, integrationGoesOn(tenant));
  });

  test('a pause that is taken back at once stops nothing for good', async () => {
    const tenant = await bench.tenant('active');
    const [id] = await tenant.repositories(1);
    const importId = await tenant.storeImport({ all: true });
    await bench.run(async (run) => {
      run.bitbucket.git.set(id!, ['hang', { done: true }]);
      const handle = await startImportRun(run, tenant, importId);
      await waitFor({
        what: 'git is being read',
        read: () => run.bitbucket.calls.length,
        until: (count) => count === 1,
      });
      // Both signals come in one workflow task: nobody is there to take the first alone.
      await run.stopWorkers();
      const repository = run.client.workflow.getHandle(importRepositoryWorkflowId(id!));
      await repository.signal(messages.setPaused, { paused: true, reason: 'person' });
      await repository.signal(messages.setPaused, { paused: false, reason: null });
      await run.restart();
      await handle.result();
      expect(await tenant.importRow(importId)).toMatchObject({ state: 'completed' });
    });
  });

  test('a refused credential does not fail it: it waits, and goes on with the new one', async () => {
    const tenant = await bench.tenant('active');
    const [id] = await tenant.repositories(1);
    const importId = await tenant.storeImport({ all: true });
    await bench.run(async (run) => {
      run.bitbucket.probes.push(false, false, false);
      run.bitbucket.chunks.set(id!, [failureOf('AuthRefused'), { done: true }]);
      const timing = { probeEveryMs: 300, confirmMs: 500 };
      await command(run, tenant, messages.startImport, { importId, mode: 'changed', actor }, timing);
      await untilRepository(tenant, importId, id!, 'needs_credential', SOON_MS);
      await waitFor({
        what: 'the integration asks for a credential',
        read: () => tenant.integration(),
        until: (row) => row?.['state'] === 'needs_credential',
      });
      await waitFor({
        what: 'the import is told',
        read: () => tenant.importRow(importId),
        until: (row) => row?.['state'] === 'needs_credential',
      });
      const check = await tenant.credential();
      await command(run, tenant, messages.submitCredential, { ...check, actor });
      await run.client.workflow.getHandle(importWorkflowId(importId)).result();
      await run.record('refused-integration', integrationWorkflowId(tenant.integrationId));
      await run.record('refused-repository', importRepositoryWorkflowId(id!));
      expect(await tenant.importRow(importId)).toMatchObject({ state: 'completed' });
    }, integrationGoesOn(tenant));
  });
});
