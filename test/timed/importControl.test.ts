import { MockActivityEnvironment } from '@temporalio/testing';
import { describe, expect, test } from 'vitest';
import { createImportActivities } from '../../activities/imports/imports.ts';
import { importWorkflowId } from '../../workflows/ids.ts';
import { PAUSED } from '../../workflows/import/paused.ts';
import * as messages from '../../workflows/messages.ts';
import { callsOf, untilCalled } from '../support/bitbucketCalls.ts';
import { failureOf, type Step } from '../support/fakeBitbucket.ts';
import {
  EFFECTIVE_AFTER_STOP_MS,
  repositoryRun,
  startImportRun,
  tellImport,
  untilImport,
  untilRepository,
} from '../support/importBench.ts';
import { waitFor } from '../support/waitFor.ts';
import {
  actor,
  command,
  integrationGoesOn,
  refusalOf,
  useWorkflowBench,
  type WorkflowBench,
} from '../support/workflowBench.ts';

const bench = useWorkflowBench();

const inAnHour = () => ({
  limited: { until: new Date(Date.now() + 3_600_000).toISOString(), why: 'Bitbucket allowance' },
});

/** In what a repository's run is when the command comes, and which row says so. */
const PHASES: Record<string, { git?: () => Step[]; chunks?: () => Step[]; state: string; calls: string }> = {
  'inside git': { git: () => ['hang', { done: true }], state: 'running', calls: 'importGit' },
  'inside a chunk': { chunks: () => [{}, 'hang', { done: true }], state: 'running', calls: 'importChunk' },
  'waiting for the allowance': {
    chunks: () => [{}, inAnHour(), { done: true }],
    state: 'rate_limited',
    calls: 'importChunk',
  },
  'waiting for a credential': {
    chunks: () => [failureOf('AuthRefused'), { done: true }],
    state: 'needs_credential',
    calls: 'importChunk',
  },
};

const auditOf = (integrationId: string) =>
  bench.sql<
    { action: string; acting_user: string; details: Record<string, unknown> }[]
  >`select action, acting_user, details from audit_events where integration_id = ${integrationId} order by id`;

describe.each(Object.entries(PHASES))('an import %s', (_, phase) => {
  async function begin(run: Parameters<Parameters<WorkflowBench['run']>[0]>[0]) {
    const tenant = await bench.tenant('active');
    const [id] = await tenant.repositories(1);
    const importId = await tenant.storeImport({ all: true });
    if (phase.git !== undefined) run.bitbucket.git.set(id!, phase.git());
    if (phase.chunks !== undefined) run.bitbucket.chunks.set(id!, phase.chunks());
    const handle = await startImportRun(run, tenant, importId);
    await untilRepository(tenant, importId, id!, phase.state, 10_000);
    await untilCalled(run, phase.calls, (phase.chunks?.().length ?? 2) - 1);
    return { tenant, id: id!, importId, handle };
  }

  test('is paused and resumed by a person, each twice, with everything kept', async () => {
    await bench.run(async (run) => {
      const { tenant, id, importId, handle } = await begin(run);
      expect(await tellImport(run, importId, messages.pauseImport)).toEqual({ changed: true });
      await untilRepository(tenant, importId, id, 'paused');
      expect(await tenant.importRow(importId)).toMatchObject({
        state: 'paused',
        waiting_reason: 'A person paused the import',
        waiting_until: null,
      });
      expect(await tellImport(run, importId, messages.pauseImport)).toEqual({ changed: false });
      const calls = run.bitbucket.calls.length;
      // Workers that know nothing must know from the history that it is paused.
      await run.restart();
      expect(await tellImport(run, importId, messages.pauseImport)).toEqual({ changed: false });
      expect(run.bitbucket.calls.length).toBe(calls);

      expect(await tellImport(run, importId, messages.resumeImport)).toEqual({ changed: true });
      await waitFor({
        what: 'it goes on',
        read: () => run.bitbucket.calls.length,
        until: (count) => count > calls,
        timeoutMs: EFFECTIVE_AFTER_STOP_MS,
      });
      await handle.result();
      expect(await tenant.importRow(importId)).toMatchObject({ state: 'completed', waiting_reason: null });
      const events = await tenant.events(importId);
      expect(events.filter((type) => /^import_(paused|resumed)$/.test(type))).toEqual([
        'import_paused',
        'import_resumed',
      ]);
      expect(await auditOf(tenant.integrationId)).toEqual([
        { action: 'import_paused', acting_user: 'anna', details: { import_id: importId } },
        { action: 'import_resumed', acting_user: 'anna', details: { import_id: importId } },
      ]);
    });
  });

  test('is cancelled, also while it is paused', async () => {
    await bench.run(async (run) => {
      const { tenant, id, importId, handle } = await begin(run);
      const pausedFirst = phase.state === 'running';
      if (pausedFirst) {
        await tellImport(run, importId, messages.pauseImport);
        await untilRepository(tenant, importId, id, 'paused');
      }
      expect(await tellImport(run, importId, messages.cancelImport)).toEqual({ changed: true });
      await untilImport(tenant, importId, 'cancelled');
      await handle.result();
      expect(await tenant.repositoryRows(importId)).toMatchObject([{ state: 'cancelled' }]);
      const events = await tenant.events(importId);
      expect(events.filter((type) => type === 'import_cancelling')).toHaveLength(1);
      expect(events.at(-1)).toBe('import_cancelled');
      expect((await auditOf(tenant.integrationId)).at(-1)).toMatchObject({ action: 'import_cancelled' });
    });
  });
});

describe('commands in the wrong state', () => {
  test('resume of what nobody paused, and anything but cancel while it is cancelled', async () => {
    const tenant = await bench.tenant('active');
    const [id, other] = await tenant.repositories(2);
    const importId = await tenant.storeImport({ all: true });
    await bench.run(async (run) => {
      // Workers are stopped below: what hung there hangs in the next one too.
      run.bitbucket.git.set(id!, ['hang', 'hang', 'hang']);
      run.bitbucket.git.set(other!, []);
      const handle = await startImportRun(run, tenant, importId);
      await untilRepository(tenant, importId, id!, 'running');
      await untilRepository(tenant, importId, other!, 'completed');
      expect(await refusalOf(tellImport(run, importId, messages.resumeImport))).toBe('import_not_paused');
      await tellImport(run, importId, messages.pauseImport);
      await tellImport(run, importId, messages.resumeImport);
      // Sent again after a lost answer: it is so already.
      expect(await tellImport(run, importId, messages.resumeImport)).toEqual({ changed: false });

      await run.stopWorkers();
      const cancelled = [tellImport(run, importId, messages.cancelImport)];
      const [refused] = [refusalOf(tellImport(run, importId, messages.pauseImport))];
      cancelled.push(tellImport(run, importId, messages.cancelImport));
      await run.restart();
      const answers = await Promise.all(cancelled);
      expect(answers.filter(({ changed }) => changed)).toHaveLength(1);
      expect(['import_cancelling', undefined]).toContain(await refused);
      await handle.result();
      expect(await tenant.repositoryRows(importId)).toMatchObject([
        { state: 'cancelled' },
        { state: 'completed' },
      ]);
    });
  });
});

describe("a person's pause and the integration's", () => {
  test('do not undo each other', async () => {
    const tenant = await bench.tenant('active');
    const [id] = await tenant.repositories(1);
    const importId = await tenant.storeImport({ all: true });
    await bench.run(async (run) => {
      run.bitbucket.git.set(id!, ['hang', 'hang', { done: true }]);
      await command(run, tenant, messages.startImport, { importId, mode: 'changed', actor });
      await waitFor({
        what: 'git is being read',
        read: () => run.bitbucket.calls.length,
        until: (count) => count === 1,
      });
      await tellImport(run, importId, messages.pauseImport);
      await untilRepository(tenant, importId, id!, 'paused');

      // The integration is paused and resumed: the person's pause stays.
      await command(run, tenant, messages.pause, { actor });
      await command(run, tenant, messages.resume, { actor });
      await settled(run, importId);
      expect(await tenant.importRow(importId)).toMatchObject({ state: 'paused' });
      expect(run.bitbucket.calls).toHaveLength(1);

      // The person resumes while the integration is paused: it waits for that one.
      await command(run, tenant, messages.pause, { actor });
      await tellImport(run, importId, messages.resumeImport);
      await waitFor({
        what: 'the row says for whom it waits',
        read: () => tenant.importRow(importId),
        until: (row) => row?.['waiting_reason'] === 'The integration is paused',
        timeoutMs: 5_000,
      });
      expect(await tenant.importRow(importId)).toMatchObject({ state: 'paused' });
      expect(run.bitbucket.calls).toHaveLength(1);
      await command(run, tenant, messages.resume, { actor });
      await waitFor({
        what: 'git is read again',
        read: () => run.bitbucket.calls.length,
        until: (count) => count === 2,
        timeoutMs: 5_000,
      });

      // Nobody but the integration paused it: the import's own resume is no way out.
      await command(run, tenant, messages.pause, { actor });
      await tellImport(run, importId, messages.pauseImport);
      await untilRepository(tenant, importId, id!, 'paused');
      await command(run, tenant, messages.resume, { actor });
      await settled(run, importId);
      expect(await tenant.importRow(importId)).toMatchObject({ state: 'paused' });
      await tellImport(run, importId, messages.resumeImport);
      await run.client.workflow.getHandle(importWorkflowId(importId)).result();
      expect(await tenant.importRow(importId)).toMatchObject({ state: 'completed' });
    }, integrationGoesOn(tenant));
  });

  test('resume of an import whose integration is paused is refused with the way out', async () => {
    const tenant = await bench.tenant('active');
    const [id] = await tenant.repositories(1);
    const importId = await tenant.storeImport({ all: true });
    await bench.run(async (run) => {
      run.bitbucket.git.set(id!, ['hang', { done: true }]);
      await command(run, tenant, messages.startImport, { importId, mode: 'changed', actor });
      await untilRepository(tenant, importId, id!, 'running');
      await command(run, tenant, messages.pause, { actor });
      await untilImport(tenant, importId, 'paused');
      expect(await refusalOf(tellImport(run, importId, messages.resumeImport))).toBe('integration_paused');
      await command(run, tenant, messages.resume, { actor });
      await run.client.workflow.getHandle(importWorkflowId(importId)).result();
    }, integrationGoesOn(tenant));
  });

  /** Every signal so far has been taken up: a query is answered behind them. */
  async function settled(run: Parameters<typeof tellImport>[0], importId: string): Promise<void> {
    const sent = async () =>
      (await run.client.workflow.getHandle(importWorkflowId(importId)).fetchHistory()).events ?? [];
    await waitFor({
      what: 'the signals are taken up',
      read: sent,
      until: (events) => {
        const signal = events.findLastIndex((event) => event.workflowExecutionSignaledEventAttributes);
        return events.slice(signal).some((event) => event.workflowTaskCompletedEventAttributes);
      },
    });
  }
});

test('what a person says while the run still passes on an earlier word stands, and is told once', async () => {
  const tenant = await bench.tenant('active');
  await tenant.repositories(1);
  const importId = await tenant.storeImport({ all: true });
  const ids = { organizationId: tenant.organizationId, integrationId: tenant.integrationId, importId };
  const activities = createImportActivities({ database: bench.database, isRunning: async () => false });
  await new MockActivityEnvironment().run(() => activities.prepareImport(ids));
  const waiting = { until: null, why: PAUSED.person.why };
  await activities.controlImport({ ...ids, command: 'pause', actor });
  await activities.controlImport({ ...ids, command: 'resume', actor });
  await activities.setImportState({ ...ids, state: 'paused', waiting });
  expect(await tenant.importRow(importId)).toMatchObject({ state: 'running', waiting_reason: null });
  await activities.controlImport({ ...ids, command: 'pause', actor });
  await activities.setImportState({ ...ids, state: 'running', waiting: null });
  expect(await tenant.importRow(importId)).toMatchObject({ state: 'paused', waiting_reason: waiting.why });
  const told = (await tenant.events(importId)).filter((type) => type.startsWith('import_'));
  expect(told).toEqual(['import_started', 'import_paused', 'import_resumed', 'import_paused']);
});

test('an import whose run an operator ended goes on where it stood, still paused', async () => {
  const tenant = await bench.tenant('active');
  const ids = await tenant.repositories(3);
  const importId = await tenant.storeImport({ all: true });
  await bench.run(async (run) => {
    run.bitbucket.git.set(ids[0]!, ['hang', { done: true }]);
    await command(run, tenant, messages.startImport, { importId, mode: 'changed', actor });
    await untilRepository(tenant, importId, ids[2]!, 'completed', 10_000);
    await tellImport(run, importId, messages.pauseImport);
    await untilRepository(tenant, importId, ids[0]!, 'paused');
    const handle = run.client.workflow.getHandle(importWorkflowId(importId));
    await handle.terminate('by the test');
    await command(run, tenant, messages.reviveImport, { importId, actor });
    expect(await tellImport(run, importId, messages.pauseImport)).toEqual({ changed: false });
    expect((await repositoryRun(run, ids[0]!).describe()).status.name).toBe('RUNNING');
    await tellImport(run, importId, messages.resumeImport);
    await handle.result();
    expect(await tenant.importRow(importId)).toMatchObject({
      state: 'completed',
      repositories_completed: 3,
    });
    // Started once more although it has ended: nothing happens.
    const events = await tenant.events(importId);
    await command(run, tenant, messages.reviveImport, { importId, actor });
    await handle.result();
    expect(await tenant.events(importId)).toEqual(events);
    expect(callsOf(run, 'importGit')).toHaveLength(4);
  }, integrationGoesOn(tenant));
});

test('one that was called off before its run looked, and is asked for again, is brought in', async () => {
  const tenant = await bench.tenant('active');
  await tenant.repositories(1);
  const importId = await tenant.storeImport({ all: true });
  await bench.run(async (run) => {
    const ask = () => command(run, tenant, messages.startImport, { importId, mode: 'changed', actor });
    const handle = run.client.workflow.getHandle(importWorkflowId(importId));
    await bench.sql`update imports set state = 'cancelled', finished_at = now() where id = ${importId}`;
    await ask();
    await handle.result();
    await bench.sql`update imports set state = 'pending', finished_at = null where id = ${importId}`;
    await ask();
    await untilImport(tenant, importId, 'completed');
    await handle.result();
    expect(await tenant.repositoryRows(importId)).toMatchObject([{ state: 'completed' }]);
  }, integrationGoesOn(tenant));
});

test.each([
  ['paused', messages.pauseImport],
  ['cancelled', messages.cancelImport],
] as const)(
  'one that is %s by the first word after its run was lost stops the repositories that went on',
  async (state, word) => {
    await bench.run(async (run) => {
      const tenant = await bench.tenant('active');
      const [id] = await tenant.repositories(1);
      const importId = await tenant.storeImport({ all: true });
      const hanging: Step[] = ['hang', 'hang', 'hang', 'hang'];
      run.bitbucket.git.set(id!, hanging);
      const lost = await startImportRun(run, tenant, importId);
      await untilRepository(tenant, importId, id!, 'running', 10_000);
      await lost.terminate('by the test');
      await run.stopWorkers();
      // Its first task brings the word along.
      const handle = await startImportRun(run, tenant, importId);
      const told = tellImport(run, importId, word);
      await run.restart();
      expect(await told).toEqual({ changed: true });
      await untilRepository(tenant, importId, id!, state, EFFECTIVE_AFTER_STOP_MS);
      hanging.length = 0;
      if (word === messages.pauseImport) {
        const calls = run.bitbucket.calls.length;
        await tellImport(run, importId, messages.resumeImport);
        await handle.result();
        expect(run.bitbucket.calls.length).toBeGreaterThan(calls);
        expect(await tenant.importRow(importId)).toMatchObject({ state: 'completed' });
      } else {
        await handle.result();
        await repositoryRun(run, id!).result();
        expect(await tenant.repositoryRows(importId)).toMatchObject([{ state: 'cancelled' }]);
      }
    });
  },
);
