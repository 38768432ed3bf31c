import { expect, test } from 'vitest';
import * as messages from '../../workflows/messages.ts';
import { failureOf, type Step } from '../support/fakeBitbucket.ts';
import { repositoryRun, startImportRun, tellImport, untilRepository } from '../support/importBench.ts';
import { waitFor } from '../support/waitFor.ts';
import { type BenchRun, useWorkflowBench } from '../support/workflowBench.ts';

/** A small repository: one activity reads git, then the API. */
const bench = useWorkflowBench();

const SMALL_BYTES = 1024 ** 2;
const waits = { limited: { until: new Date(Date.now() + 1_000).toISOString(), why: 'Bitbucket allowance' } };

async function begin(run: BenchRun, script: { git?: Step[]; chunks?: Step[] }) {
  const tenant = await bench.tenant('active');
  const [id = ''] = await tenant.repositories(1, SMALL_BYTES);
  run.bitbucket.git.set(id, script.git ?? []);
  run.bitbucket.chunks.set(id, script.chunks ?? []);
  const importId = await tenant.storeImport({ all: true });
  const handle = await startImportRun(run, tenant, importId);
  return { tenant, id, importId, handle };
}

/** The names of what was called so far, in order. */
const called = (run: BenchRun): string[] =>
  run.bitbucket.calls.map((call) => call.split(' ')[0] ?? '').filter((name) => /^(import|link)/.test(name));

test('takes one activity, and two tasks of its workflow', async () => {
  await bench.run(async (run) => {
    const { tenant, id, importId, handle } = await begin(run, {});
    await handle.result();
    expect(called(run)).toEqual(['importSmall']);
    expect(await tenant.repositoryRows(importId)).toMatchObject([{ id, state: 'completed' }]);
    const { events } = await repositoryRun(run, id).fetchHistory();
    const count = (has: (event: NonNullable<typeof events>[number]) => unknown) =>
      (events ?? []).filter((event) => has(event) != null).length;
    expect(count((event) => event.activityTaskScheduledEventAttributes)).toBe(1);
    expect(count((event) => event.workflowTaskCompletedEventAttributes)).toBe(2);
    await run.record('small-repository', repositoryRun(run, id).workflowId);
  });
});

test('that has much of the API goes on with chunks of the API alone', async () => {
  await bench.run(async (run) => {
    const { tenant, importId, handle } = await begin(run, { chunks: [{}, {}, { done: true }] });
    await handle.result();
    expect(called(run)).toEqual(['importSmall', 'importChunk', 'importChunk']);
    expect(await tenant.importRow(importId)).toMatchObject({ state: 'completed' });
  });
});

test('at a limit of git it begins again, at a limit of the API it goes on with the API', async () => {
  await bench.run(async (run) => {
    const { tenant, importId, handle } = await begin(run, {
      git: [waits, { done: true }],
      chunks: [waits, { done: true }],
    });
    await handle.result();
    expect(called(run)).toEqual(['importSmall', 'importSmall', 'importChunk']);
    expect(await tenant.importRow(importId)).toMatchObject({ state: 'completed' });
  });
});

test('is paused at its checkpoint, and waits for a credential that is refused', async () => {
  await bench.run(async (run) => {
    const { tenant, id, importId, handle } = await begin(run, {
      git: [failureOf('AuthRefused'), { done: true }],
      chunks: ['hang', { done: true }],
    });
    await untilRepository(tenant, importId, id, 'needs_credential');
    await tellImport(run, importId, messages.pauseImport);
    await untilRepository(tenant, importId, id, 'paused');
    await tellImport(run, importId, messages.resumeImport);
    await waitFor({
      what: 'it reads again',
      read: () => called(run).length,
      until: (calls) => calls === 2,
    });
    await tellImport(run, importId, messages.pauseImport);
    await untilRepository(tenant, importId, id, 'paused');
    await run.restart();
    await tellImport(run, importId, messages.resumeImport);
    await handle.result();
    expect(called(run)).toEqual(['importSmall', 'importSmall', 'importSmall']);
    expect(await tenant.importRow(importId)).toMatchObject({ state: 'completed' });
  });
});

test('fails with what git says of it, or the API', async () => {
  for (const script of [{ git: [failureOf('RepositoryGone')] }, { chunks: [failureOf('RepositoryGone')] }]) {
    await bench.run(async (run) => {
      const { tenant, importId, handle } = await begin(run, script);
      await handle.result();
      expect(await tenant.repositoryRows(importId)).toMatchObject([
        { state: 'failed', error: { code: 'RepositoryGone' } },
      ]);
    });
  }
});
