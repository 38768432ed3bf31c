import { describe, expect, test } from 'vitest';
import { importRepositoryWorkflowId, importWorkflowId } from '../../workflows/ids.ts';
import * as messages from '../../workflows/messages.ts';
import { callsOf } from '../support/bitbucketCalls.ts';
import { failureOf } from '../support/fakeBitbucket.ts';
import { startImportRun, untilRepository } from '../support/importBench.ts';
import { waitFor } from '../support/waitFor.ts';
import { actor, command, handleOf, integrationGoesOn, useWorkflowBench } from '../support/workflowBench.ts';

/** What an import's run brings in, and how it goes on over children, other imports and lost workers. */
const bench = useWorkflowBench();

/** Not promised within a time: only that it comes. */
const SOON_MS = 60_000;

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
      await (await startImportRun(run, tenant, importId)).result();
      const rows = await tenant.repositoryRows(importId);
      expect(rows.map(({ id }) => id)).toEqual([ids[1], ids[2]]);
      expect(await tenant.importRow(importId)).toMatchObject({ state: 'completed' });
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
      const handle = await startImportRun(run, tenant, importId, timing);
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
      await untilRepository(tenant, importId, ids[0]!, 'paused', SOON_MS);
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
      const handle = await startImportRun(run, tenant, importId);
      await untilRepository(tenant, importId, ids[0]!, 'running', SOON_MS);
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
      const first = await startImportRun(run, tenant, one);
      await untilRepository(tenant, one, id!, 'running');
      const second = await startImportRun(run, tenant, two, { lookAgainEveryMs: 500 });
      await untilRepository(tenant, two, id!, 'running');
      const repository = run.client.workflow.getHandle(importRepositoryWorkflowId(id!));
      // Cancelling the one that joined leaves the run to its owner.
      await second.cancel();
      await expect(second.result()).rejects.toThrow('cancel');
      expect((await repository.describe()).status.name).toBe('RUNNING');
      const three = await tenant.storeImport({ repositories: [id] });
      const third = await startImportRun(run, tenant, three);
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
      const handle = await startImportRun(run, tenant, importId, { historyLimit: 40 });
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
      const handle = await startImportRun(run, tenant, importId, { fanOut: 2 });
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
