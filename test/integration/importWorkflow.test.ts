import { describe, expect, test } from 'vitest';
import { importRepositoryWorkflowId, importWorkflowId, integrationWorkflowId } from '../../workflows/ids.ts';
import type { importRepositories } from '../../workflows/importRepositories.ts';
import * as messages from '../../workflows/messages.ts';
import type { ImportTiming } from '../../workflows/timing.ts';
import { callsOf } from '../support/bitbucketCalls.ts';
import { failureOf } from '../support/fakeBitbucket.ts';
import { tellImport, untilJoined } from '../support/importBench.ts';
import type { TestTenant } from '../support/integrationRows.ts';
import { waitFor } from '../support/waitFor.ts';
import { actor, command, handleOf, integrationGoesOn, useWorkflowBench } from '../support/workflowBench.ts';
import type { WorkflowRun } from '../support/workflows.ts';

const bench = useWorkflowBench();

/** Starts an import as the integration does, with short waits. */
function start(run: WorkflowRun, tenant: TestTenant, importId: string, timing: Partial<ImportTiming> = {}) {
  const { organizationId, integrationId } = tenant;
  return run.client.workflow.start<typeof importRepositories>('importRepositories', {
    workflowId: importWorkflowId(importId),
    taskQueue: run.taskQueue,
    args: [{ organizationId, integrationId, importId, timing: { rollUpEveryMs: 300, ...timing } }],
  });
}

const untilRepository = (tenant: TestTenant, importId: string, repositoryId: string, state: string) =>
  waitFor({
    what: `the repository is ${state}`,
    read: () => tenant.repositoryRows(importId),
    until: (rows) => rows.find(({ id }) => id === repositoryId)?.state === state,
  });

describe('an import', () => {
  test('brings in what was chosen; a repository that fails stops nobody', async () => {
    const tenant = await bench.tenant('active');
    const [bad, ...good] = await tenant.repositories(5);
    const importId = await tenant.storeImport({ all: true });
    await bench.run(async (run) => {
      run.bitbucket.git.set(bad!, [failureOf('RepositoryGone')]);
      run.bitbucket.chunks.set(good[0]!, [{ records: 50, stream: 'pull_requests' }, { done: true }]);
      await command(run, tenant, messages.resume, { actor });
      const sent = { importId, mode: 'changed' as const, actor };
      const answers = await Promise.all([
        command(run, tenant, messages.startImport, sent),
        command(run, tenant, messages.startImport, sent),
      ]);
      expect(answers[0]).toEqual(answers[1]);
      await run.client.workflow.getHandle(importWorkflowId(importId)).result();
      expect(await tenant.importRow(importId)).toMatchObject({
        state: 'completed_with_failures',
        repositories_total: 5,
        repositories_completed: 4,
        repositories_failed: 1,
      });
      const rows = await tenant.repositoryRows(importId);
      expect(rows.map(({ state }) => state).toSorted()).toEqual([
        'completed',
        'completed',
        'completed',
        'completed',
        'failed',
      ]);
      expect(rows.find(({ id }) => id === bad)?.error?.code).toBe('RepositoryGone');
      const events = await tenant.events(importId);
      expect(events[0]).toBe('import_started');
      expect(events.at(-1)).toBe('import_completed_with_failures');
      expect(events.filter((type) => type === 'repository_completed')).toHaveLength(4);
      // Asked for again, it is the same import.
      await command(run, tenant, messages.startImport, sent);
      expect((await tenant.events(importId)).length).toBe(events.length);
    }, integrationGoesOn(tenant));
  });

  test('chooses by repository, project or workspace, and only what the integration sees', async () => {
    const tenant = await bench.tenant('active');
    const other = await bench.tenant('active');
    const ids = await tenant.repositories(3);
    const [foreign] = await other.repositories(1);
    const importId = await tenant.storeImport({ repositories: [ids[1], ids[2], foreign] });
    await bench.run(async (run) => {
      await (await start(run, tenant, importId)).result();
      const rows = await tenant.repositoryRows(importId);
      expect(rows.map(({ id }) => id)).toEqual([ids[1], ids[2]]);
      expect(await tenant.importRow(importId)).toMatchObject({ state: 'completed' });
    });
  });

  test('at a limit: the row says until when, and it goes on by itself', async () => {
    const tenant = await bench.tenant('active');
    const [id] = await tenant.repositories(1);
    const importId = await tenant.storeImport({ all: true });
    await bench.run(async (run) => {
      const until = new Date(Date.now() + 2_500).toISOString();
      const limited = { until, why: 'Bitbucket allowance' };
      run.bitbucket.chunks.set(id!, [{ limited }, { done: true }]);
      const handle = await start(run, tenant, importId);
      await untilRepository(tenant, importId, id!, 'rate_limited');
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
      const handle = await start(run, tenant, importId);
      await untilRepository(tenant, importId, id!, 'rate_limited');
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
      await untilRepository(tenant, importId, ids[0]!, 'paused');
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
      const handle = await start(run, tenant, importId);
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
      await untilRepository(tenant, importId, id!, 'needs_credential');
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

  test('cancelled: what runs stops at its checkpoint, and every row ends', async () => {
    const tenant = await bench.tenant('active');
    const ids = await tenant.repositories(4);
    const importId = await tenant.storeImport({ all: true });
    await bench.run(async (run) => {
      for (const id of ids) run.bitbucket.git.set(id, ['hang']);
      const handle = await start(run, tenant, importId, { fanOut: 2 });
      await waitFor({
        what: 'two repositories are being read',
        read: () => run.bitbucket.calls.length,
        until: (count) => count === 2,
      });
      await handle.cancel();
      await expect(handle.result()).rejects.toThrow('cancel');
      await run.record('cancelled-import', handle.workflowId);
      await run.record('cancelled-repository', importRepositoryWorkflowId(ids[0]!));
      expect(await tenant.importRow(importId)).toMatchObject({ state: 'cancelled' });
      const rows = await tenant.repositoryRows(importId);
      expect(new Set(rows.map(({ state }) => state))).toEqual(new Set(['cancelled']));
      expect((await tenant.events(importId)).at(-1)).toBe('import_cancelled');
    });
  });

  test('cancelled by an operator while it waits to continue as new: nothing is left behind it', async () => {
    const tenant = await bench.tenant('active');
    const [id] = await tenant.repositories(1);
    const importId = await tenant.storeImport({ all: true });
    await bench.run(async (run) => {
      run.bitbucket.git.set(id!, ['hang']);
      let release = (): void => {};
      const held = new Promise<void>((resolve) => (release = resolve));
      // The answer to a command is waited for before a run ends.
      bench.meanwhile('controlImport', { before: () => held });
      const historyLimit = 80;
      const handle = await start(run, tenant, importId, { historyLimit });
      await untilRepository(tenant, importId, id!, 'running');
      const pausing = tellImport(run, importId, messages.pauseImport).catch(() => {});
      const length = async () => (await handle.describe()).historyLength;
      for (let told = 0; (await length()) <= historyLimit; told += 1) {
        const paused = told % 2 === 0;
        await handle.signal(messages.setPaused, { paused, reason: paused ? 'integration' : null });
      }
      await untilJoined(run, id!);
      await handle.cancel();
      release();
      await pausing;
      await expect(handle.result()).rejects.toThrow('cancel');
      expect(await tenant.importRow(importId)).toMatchObject({ state: 'cancelled' });
      expect(await tenant.repositoryRows(importId)).toMatchObject([{ state: 'cancelled' }]);
    });
  });

  test('cancelled by a person while its end is being stored: it is cancelled, and nothing else is said of it', async () => {
    const tenant = await bench.tenant('active');
    const [id] = await tenant.repositories(1);
    const importId = await tenant.storeImport({ all: true });
    await bench.run(async (run) => {
      run.bitbucket.git.set(id!, [failureOf('RepositoryGone')]);
      const cancel = () => tellImport(run, importId, messages.cancelImport);
      bench.meanwhile('finishImport', { before: cancel });
      await (await start(run, tenant, importId)).result();
      expect(await tenant.importRow(importId)).toMatchObject({ state: 'cancelled' });
      const events = await tenant.events(importId);
      expect(events.slice(-2)).toEqual(['import_cancelling', 'import_cancelled']);
    });
  });

  test('continues as new while children run, without touching them', async () => {
    const tenant = await bench.tenant('active');
    const ids = await tenant.repositories(12);
    const importId = await tenant.storeImport({ all: true });
    await bench.run(async (run) => {
      run.bitbucket.chunks.set(ids[0]!, ['hang', { done: true }]);
      // It is told when the slow one ends, though it is not the run that started it: nothing looks for that in time.
      const timing = { fanOut: 3, historyLimit: 60, lookAgainEveryMs: 600_000 };
      const handle = await start(run, tenant, importId, timing);
      await waitFor({
        what: 'all but the slow one are done',
        read: () => tenant.repositoryRows(importId),
        until: (rows) => rows.filter(({ state }) => state === 'completed').length === 11,
        timeoutMs: 40_000,
      });
      const child = run.client.workflow.getHandle(importRepositoryWorkflowId(ids[0]!));
      const parent = await run.client.workflow.getHandle(handle.workflowId).describe();
      expect(parent.runId).not.toBe(handle.firstExecutionRunId);
      expect((await child.describe()).status.name).toBe('RUNNING');
      expect(callsOf(run, `importChunk ${ids[0]}`)).toHaveLength(1);
      await run.client.workflow.getHandle(handle.workflowId).signal(messages.setPaused, {
        paused: true,
        reason: 'person',
      });
      await untilRepository(tenant, importId, ids[0]!, 'paused');
      await run.client.workflow.getHandle(handle.workflowId).signal(messages.setPaused, {
        paused: false,
        reason: null,
      });
      await handle.result();
      await run.record('import-before-continuing', handle.workflowId, handle.firstExecutionRunId);
      await run.record('import-resumed-run', handle.workflowId);
      expect(await tenant.importRow(importId)).toMatchObject({
        state: 'completed',
        repositories_completed: 12,
      });
    });
  });

  test('a child that an operator terminates fails its repository only', async () => {
    const tenant = await bench.tenant('active');
    const ids = await tenant.repositories(2);
    const importId = await tenant.storeImport({ all: true });
    await bench.run(async (run) => {
      run.bitbucket.git.set(ids[0]!, ['hang']);
      const handle = await start(run, tenant, importId);
      await untilRepository(tenant, importId, ids[0]!, 'running');
      await run.client.workflow.getHandle(importRepositoryWorkflowId(ids[0]!)).terminate('by the test');
      await handle.result();
      expect(await tenant.repositoryRows(importId)).toMatchObject([
        { state: 'failed', error: { code: 'run_ended_unexpectedly' } },
        { state: 'completed' },
      ]);
    });
  });

  test('a repository that another import reads is joined, and its outcome shared', async () => {
    const tenant = await bench.tenant('active');
    const [id] = await tenant.repositories(1);
    const one = await tenant.storeImport({ all: true });
    const two = await tenant.storeImport({ repositories: [id] });
    await bench.run(async (run) => {
      run.bitbucket.git.set(id!, ['hang', { done: true }]);
      const first = await start(run, tenant, one);
      await untilRepository(tenant, one, id!, 'running');
      const second = await start(run, tenant, two, { lookAgainEveryMs: 500 });
      await untilRepository(tenant, two, id!, 'running');
      const repository = run.client.workflow.getHandle(importRepositoryWorkflowId(id!));
      // Cancelling the one that joined leaves the run to its owner.
      await second.cancel();
      await expect(second.result()).rejects.toThrow('cancel');
      expect((await repository.describe()).status.name).toBe('RUNNING');
      const three = await tenant.storeImport({ repositories: [id] });
      const third = await start(run, tenant, three);
      await untilRepository(tenant, three, id!, 'running');
      await repository.signal(messages.setPaused, { paused: true, reason: 'person' });
      await repository.signal(messages.setPaused, { paused: false, reason: null });
      await Promise.all([first.result(), third.result()]);
      expect(callsOf(run, 'importGit')).toHaveLength(2);
      expect(await tenant.importRow(one)).toMatchObject({ state: 'completed' });
      expect(await tenant.importRow(three)).toMatchObject({ state: 'completed' });
    });
  });

  test('a repository run continues as new within its streams', async () => {
    const tenant = await bench.tenant('active');
    const [id] = await tenant.repositories(1);
    const importId = await tenant.storeImport({ all: true });
    await bench.run(async (run) => {
      run.bitbucket.chunks.set(id!, [
        ...Array.from({ length: 12 }, () => ({ stream: 'pull_requests' as const })),
        { done: true },
      ]);
      const handle = await start(run, tenant, importId, { historyLimit: 40 });
      await handle.result();
      await run.record('repository-resumed-run', importRepositoryWorkflowId(id!));
      const last = await run.client.workflow.getHandle(importRepositoryWorkflowId(id!)).describe();
      expect(last.historyLength).toBeLessThan(80);
      expect(callsOf(run, 'importGit')).toHaveLength(1);
      expect(callsOf(run, 'importChunk')).toHaveLength(13);
    });
  });

  test('a worker that is gone for a while changes nothing', async () => {
    const tenant = await bench.tenant('active');
    const ids = await tenant.repositories(6);
    const importId = await tenant.storeImport({ all: true });
    await bench.run(async (run) => {
      for (const id of ids) run.bitbucket.chunks.set(id, [{}, {}, { done: true }]);
      const handle = await start(run, tenant, importId, { fanOut: 2 });
      for (let times = 0; times < 2; times += 1) await run.restart();
      await handle.result();
      expect(await tenant.importRow(importId)).toMatchObject({
        state: 'completed',
        repositories_completed: 6,
      });
      expect(callsOf(run, 'importGit')).toHaveLength(6);
    });
  });
});

test('the integration forgets an import that ended', async () => {
  const tenant = await bench.tenant('active');
  await tenant.repositories(1);
  const importId = await tenant.storeImport({ all: true });
  await bench.run(async (run) => {
    await command(run, tenant, messages.startImport, { importId, mode: 'changed', actor });
    await run.client.workflow.getHandle(importWorkflowId(importId)).result();
    const signals = async () =>
      (await handleOf(run.client, tenant).fetchHistory()).events?.flatMap(
        (event) => event.workflowExecutionSignaledEventAttributes?.signalName ?? [],
      );
    expect(
      await waitFor({
        what: 'the signal arrives',
        read: signals,
        until: (names) => names !== undefined && names.length > 0,
      }),
    ).toEqual(['importFinished']);
  }, integrationGoesOn(tenant));
});
