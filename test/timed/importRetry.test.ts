import { MockActivityEnvironment } from '@temporalio/testing';
import { describe, expect, test } from 'vitest';
import { importRepositoryWorkflowId, importWorkflowId } from '../../workflows/ids.ts';
import type { importRepository } from '../../workflows/importRepository.ts';
import * as messages from '../../workflows/messages.ts';
import { createImportActivities } from '../../activities/imports/imports.ts';
import { failureOf, refusal, type Step } from '../support/fakeBitbucket.ts';
import {
  EFFECTIVE_AFTER_STOP_MS,
  EFFECTIVE_MS,
  repositoryRun,
  tellImport,
  untilImport,
  untilJoined,
  untilRepository,
} from '../support/importBench.ts';
import type { TestTenant } from '../support/integrationRows.ts';
import { waitFor } from '../support/waitFor.ts';
import {
  actor,
  type BenchRun,
  command,
  handleOf,
  integrationGoesOn,
  refusalOf,
  useWorkflowBench,
} from '../support/workflowBench.ts';

const bench = useWorkflowBench();

const begin = (run: BenchRun, tenant: TestTenant, importId: string) =>
  command(run, tenant, messages.startImport, { importId, mode: 'changed', actor });

const retry = (run: BenchRun, tenant: TestTenant, importId: string, repositoryIds: string[] | null = null) =>
  command(run, tenant, messages.retryFailed, { importId, repositoryIds, actor });

const readsOf = (run: BenchRun, repositoryId: string) =>
  run.bitbucket.calls.filter((call) => call === `importGit ${repositoryId}`).length;

/** It can be told the same as ever: a pause reaches the repository, and resumed the import ends well. */
async function pausesAndEnds(
  run: BenchRun,
  tenant: TestTenant,
  importId: string,
  repositoryId: string,
): Promise<void> {
  await tellImport(run, importId, messages.pauseImport);
  await untilRepository(tenant, importId, repositoryId, 'paused');
  await tellImport(run, importId, messages.resumeImport);
  await untilImport(tenant, importId, 'completed', 20_000);
}

/** Begins an import, and holds the run of the repository that fails behind its row until released. */
async function failedAndHeld(
  run: BenchRun,
  tenant: TestTenant,
  importId: string,
  repositoryId: string,
): Promise<() => void> {
  let release = (): void => {};
  const released = new Promise<void>((resolve) => (release = resolve));
  bench.meanwhile('finishRepository', { behind: () => released });
  await begin(run, tenant, importId);
  await untilRepository(tenant, importId, repositoryId, 'failed', 10_000);
  return release;
}

describe('failed repositories are tried again', () => {
  test('in an import that has ended: only they run, and it ends anew', async () => {
    const tenant = await bench.tenant('active');
    const ids = await tenant.repositories(4);
    const importId = await tenant.storeImport({ all: true });
    await bench.run(async (run) => {
      run.bitbucket.git.set(ids[0]!, [failureOf('RepositoryGone')]);
      run.bitbucket.git.set(ids[1]!, [failureOf('RepositoryGone'), failureOf('RepositoryGone')]);
      await begin(run, tenant, importId);
      await untilImport(tenant, importId, 'completed_with_failures', 20_000);

      // One of them, named; then the other, which fails again; then that one again.
      expect(await retry(run, tenant, importId, [ids[0]!])).toMatchObject({ changed: true });
      await untilImport(tenant, importId, 'completed_with_failures');
      expect(await tenant.importRow(importId)).toMatchObject({
        repositories_completed: 3,
        repositories_failed: 1,
      });
      expect(readsOf(run, ids[1]!)).toBe(1);
      for (const state of ['completed_with_failures', 'completed']) {
        expect(await retry(run, tenant, importId)).toMatchObject({ changed: true });
        await untilImport(tenant, importId, state);
      }
      expect(ids.map((id) => readsOf(run, id))).toEqual([2, 3, 1, 1]);
      expect(await tenant.importRow(importId)).toMatchObject({
        repositories_total: 4,
        repositories_completed: 4,
        repositories_failed: 0,
      });
      const events = await tenant.events(importId);
      expect(events.filter((type) => type.startsWith('import_'))).toEqual([
        'import_started',
        'import_completed_with_failures',
        'import_retried',
        'import_completed_with_failures',
        'import_retried',
        'import_completed_with_failures',
        'import_retried',
        'import_completed',
      ]);
      const audit = await bench.sql<{ action: string; details: { repositories: number } }[]>`
        select action, details from audit_events where integration_id = ${tenant.integrationId} order by id`;
      expect(audit.map(({ action, details }) => [action, details.repositories])).toEqual([
        ['import_retried', 1],
        ['import_retried', 1],
        ['import_retried', 1],
      ]);
    }, integrationGoesOn(tenant));
  });

  test('in an import that still runs, asked for twice at once', async () => {
    const tenant = await bench.tenant('active');
    const ids = await tenant.repositories(2);
    const importId = await tenant.storeImport({ all: true });
    await bench.run(async (run) => {
      run.bitbucket.git.set(ids[0]!, [failureOf('RepositoryGone'), 'hang', { done: true }]);
      run.bitbucket.git.set(ids[1]!, ['hang', { done: true }]);
      await begin(run, tenant, importId);
      await untilRepository(tenant, importId, ids[0]!, 'failed', 10_000);
      const answers = await Promise.all([retry(run, tenant, importId), retry(run, tenant, importId)]);
      expect(answers.filter(({ changed }) => changed)).toHaveLength(1);
      await untilRepository(tenant, importId, ids[0]!, 'running');
      await pausesAndEnds(run, tenant, importId, ids[0]!);
      expect(ids.map((id) => readsOf(run, id))).toEqual([3, 2]);
    }, integrationGoesOn(tenant));
  });

  test('in an import that still runs, before the run that failed has ended', async () => {
    const tenant = await bench.tenant('active');
    const [id, other] = await tenant.repositories(2);
    const importId = await tenant.storeImport({ all: true });
    await bench.run(async (run) => {
      run.bitbucket.git.set(id!, [failureOf('RepositoryGone'), { done: true }]);
      const hanging: Step[] = ['hang', 'hang'];
      run.bitbucket.git.set(other!, hanging);
      const release = await failedAndHeld(run, tenant, importId, id!);
      expect(await retry(run, tenant, importId)).toMatchObject({ changed: true });
      await waitFor({
        what: 'the import has looked for more and found it in hand',
        read: async () =>
          (await run.client.workflow.getHandle(importWorkflowId(importId)).fetchHistory()).events ?? [],
        until: (events) => {
          const told = events.findIndex(
            (event) => event.workflowExecutionSignaledEventAttributes?.signalName === 'lookForMore',
          );
          const behind = told < 0 ? [] : events.slice(told);
          return behind.some((event) => event.activityTaskCompletedEventAttributes != null);
        },
      });
      release();
      await untilRepository(tenant, importId, id!, 'completed');
      hanging.length = 0;
      await pausesAndEnds(run, tenant, importId, other!);
    }, integrationGoesOn(tenant));
  });

  test('at the moment in which the import ends: nothing is left over, however close', async () => {
    const tenant = await bench.tenant('active');
    const [id] = await tenant.repositories(1);
    const importId = await tenant.storeImport({ all: true });
    await bench.run(async (run) => {
      const failures = Array.from({ length: 6 }, () => failureOf('RepositoryGone'));
      run.bitbucket.git.set(id!, [...failures]);
      await begin(run, tenant, importId);
      // As soon as the row says failed, which is before the import's own end.
      for (const _ of failures) {
        await untilRepository(tenant, importId, id!, 'failed', 20_000);
        expect(await retry(run, tenant, importId)).toMatchObject({ changed: true });
      }
      await untilImport(tenant, importId, 'completed', 20_000);
      await run.client.workflow.getHandle(importWorkflowId(importId)).result();
      expect(readsOf(run, id!)).toBe(failures.length + 1);
      // The integration knows that it has ended, whatever overtook what.
      await command(run, tenant, messages.pause, { actor });
      await command(run, tenant, messages.resume, { actor });
    }, integrationGoesOn(tenant));
  });

  test('also when the integration and its import lost their runs, and workers died in the middle', async () => {
    const tenant = await bench.tenant('active');
    const [id, other] = await tenant.repositories(2);
    const importId = await tenant.storeImport({ all: true });
    await bench.run(async (run) => {
      // Tried again by each worker that comes.
      const failing: Step[] = [failureOf('RepositoryGone'), 'hang', 'hang', 'hang'];
      const hanging: Step[] = ['hang', 'hang', 'hang', 'hang'];
      run.bitbucket.git.set(id!, failing);
      run.bitbucket.git.set(other!, hanging);
      await begin(run, tenant, importId);
      await untilRepository(tenant, importId, id!, 'failed', 10_000);
      await handleOf(run.client, tenant).terminate('by the test');
      await run.client.workflow.getHandle(importWorkflowId(importId)).terminate('by the test');
      await run.stopWorkers();
      const sent = retry(run, tenant, importId);
      await run.restart();
      expect(await sent).toMatchObject({ changed: true });
      await untilRepository(tenant, importId, id!, 'running', EFFECTIVE_AFTER_STOP_MS);
      await tellImport(run, importId, messages.pauseImport);
      await untilRepository(tenant, importId, id!, 'paused', EFFECTIVE_AFTER_STOP_MS);
      await untilRepository(tenant, importId, other!, 'paused', EFFECTIVE_AFTER_STOP_MS);
      // Either may not have read yet: a run that was about to end may have been there.
      for (const steps of [failing, hanging]) steps.length = 0;
      await tellImport(run, importId, messages.resumeImport);
      await untilImport(tenant, importId, 'completed', 20_000);
    }, integrationGoesOn(tenant));
  });

  test('also when the run that failed has not ended when its import, which was lost, wants it once more', async () => {
    const tenant = await bench.tenant('active');
    const [id] = await tenant.repositories(1);
    const importId = await tenant.storeImport({ all: true });
    await bench.run(async (run) => {
      run.bitbucket.git.set(id!, [failureOf('RepositoryGone'), 'hang', { done: true }]);
      const release = await failedAndHeld(run, tenant, importId, id!);
      await handleOf(run.client, tenant).terminate('by the test');
      await run.client.workflow.getHandle(importWorkflowId(importId)).terminate('by the test');
      expect(await retry(run, tenant, importId)).toMatchObject({ changed: true });
      await untilJoined(run, id!);
      const { runId } = await repositoryRun(run, id!).describe();
      release();
      await waitFor({
        what: 'git is read once more',
        read: () => readsOf(run, id!),
        until: (count) => count === 2,
        timeoutMs: EFFECTIVE_MS,
      });
      await pausesAndEnds(run, tenant, importId, id!);
      await run.record('repository-wanted-once-more', importRepositoryWorkflowId(id!), runId);
    }, integrationGoesOn(tenant));
  });

  test('the pause of the integration holds an import that runs again', async () => {
    const tenant = await bench.tenant('active');
    const [id] = await tenant.repositories(1);
    const importId = await tenant.storeImport({ all: true });
    await bench.run(async (run) => {
      run.bitbucket.git.set(id!, [failureOf('RepositoryGone'), 'hang', { done: true }]);
      await begin(run, tenant, importId);
      await untilImport(tenant, importId, 'completed_with_failures', 10_000);
      await retry(run, tenant, importId);
      await untilRepository(tenant, importId, id!, 'running');
      await command(run, tenant, messages.pause, { actor });
      await untilRepository(tenant, importId, id!, 'paused');
      expect(await refusalOf(retry(run, tenant, importId))).toBe('paused');
      await command(run, tenant, messages.resume, { actor });
      await untilImport(tenant, importId, 'completed', 20_000);
    }, integrationGoesOn(tenant));
  });
});

test('an outcome that is written again, since its answer was lost, does not end the try that came after it', async () => {
  const tenant = await bench.tenant('active');
  const { organizationId, integrationId } = tenant;
  const [repositoryId] = await tenant.repositories(1);
  const importId = await tenant.storeImport({ all: true });
  const activities = createImportActivities({ database: bench.database, isRunning: async () => false });
  const ids = { organizationId, integrationId, importId, repositoryId: repositoryId! };
  await new MockActivityEnvironment().run(() => activities.prepareImport(ids));
  const { retries } = await activities.beginRepository(ids);
  const outcome = { ...ids, state: 'failed' as const, error: refusal, retries: retries! };
  const stateOf = async () => (await tenant.repositoryRows(importId))[0]?.state;
  await activities.finishRepository(outcome);
  expect(await stateOf()).toBe('failed');
  await activities.retryRepositories({ ...ids, repositoryIds: null, commandId: 'one', actor });
  await activities.finishRepository(outcome);
  expect(await stateOf()).toBe('pending');
  const again = await activities.beginRepository(ids);
  await activities.finishRepository(outcome);
  expect(await stateOf()).toBe('running');
  await activities.finishRepository({ ...outcome, retries: again.retries! });
  expect(await stateOf()).toBe('failed');
});

test('a run of a repository that comes when its outcome is written reads nothing, and changes nothing', async () => {
  const tenant = await bench.tenant('active');
  const [id] = await tenant.repositories(1);
  const importId = await tenant.storeImport({ all: true });
  await bench.run(async (run) => {
    run.bitbucket.git.set(id!, [failureOf('RepositoryGone')]);
    await begin(run, tenant, importId);
    await untilImport(tenant, importId, 'completed_with_failures', 20_000);
    const before = await tenant.repositoryRows(importId);
    const { organizationId, integrationId } = tenant;
    const late = await run.client.workflow.start<typeof importRepository>('importRepository', {
      workflowId: importRepositoryWorkflowId(id!),
      taskQueue: run.taskQueue,
      args: [{ organizationId, integrationId, importId, repositoryId: id!, fullName: 'a/b', paused: null }],
    });
    await late.result();
    expect(readsOf(run, id!)).toBe(1);
    expect(await tenant.repositoryRows(importId)).toEqual(before);
  }, integrationGoesOn(tenant));
});

test('in an import that is told of it before it hears that its end is stored', async () => {
  const tenant = await bench.tenant('active');
  const [id] = await tenant.repositories(1);
  const importId = await tenant.storeImport({ all: true });
  await bench.run(async (run) => {
    run.bitbucket.git.set(id!, [failureOf('RepositoryGone')]);
    bench.meanwhile('finishImport', { behind: () => retry(run, tenant, importId) });
    await begin(run, tenant, importId);
    await untilImport(tenant, importId, 'completed', 20_000);
    expect(readsOf(run, id!)).toBe(2);
    await run.record('import-retried-at-its-end', importWorkflowId(importId));
  }, integrationGoesOn(tenant));
});

test('what has not failed, or was cancelled, is not tried again, and the refusal says what to do', async () => {
  const tenant = await bench.tenant('active');
  const [id, other] = await tenant.repositories(2);
  const done = await tenant.storeImport({ repositories: [id] });
  const cancelled = await tenant.storeImport({ repositories: [other] });
  await bench.run(async (run) => {
    run.bitbucket.git.set(other!, ['hang']);
    await begin(run, tenant, done);
    await untilImport(tenant, done, 'completed', 10_000);
    expect(await refusalOf(retry(run, tenant, done))).toBe('nothing_failed');
    expect(await refusalOf(retry(run, tenant, done, [id!]))).toBe('nothing_failed');
    await begin(run, tenant, cancelled);
    await untilRepository(tenant, cancelled, other!, 'running', 10_000);
    await waitFor({
      what: 'git is being read',
      read: () => readsOf(run, other!),
      until: (count) => count === 1,
    });
    expect(await refusalOf(retry(run, tenant, cancelled))).toBe('nothing_failed');
    await tellImport(run, cancelled, messages.cancelImport);
    await untilImport(tenant, cancelled, 'cancelled');
    expect(await refusalOf(retry(run, tenant, cancelled))).toBe('import_ended');
  }, integrationGoesOn(tenant));
});
