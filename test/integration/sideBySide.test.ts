import { expect, test } from 'vitest';
import { integrationWorkflowId } from '../../workflows/ids.ts';
import * as messages from '../../workflows/messages.ts';
import { untilCalled } from '../support/bitbucketCalls.ts';
import { failureOf, type Step } from '../support/fakeBitbucket.ts';
import { repositoryRun, startImportRun, tellImport, untilRepository } from '../support/importBench.ts';
import { waitFor } from '../support/waitFor.ts';
import { type BenchRun, useWorkflowBench } from '../support/workflowBench.ts';

/** A large repository: git and the API are read at the same time, then what links them. */
const bench = useWorkflowBench();

const LARGE_BYTES = 10 * 1024 ** 2;
const waits = (seconds: number) => ({
  limited: {
    until: new Date(Date.now() + seconds * 1_000).toISOString(),
    why: `Bitbucket allowance of ${seconds} s`,
  },
});

/** Starts an import of one large repository that does what it is told. */
async function begin(run: BenchRun, script: { git?: Step[]; chunks?: Step[] }, historyLimit = 2_000) {
  const tenant = await bench.tenant('active');
  const [id = ''] = await tenant.repositories(1, LARGE_BYTES);
  run.bitbucket.git.set(id, script.git ?? []);
  run.bitbucket.chunks.set(id, script.chunks ?? []);
  const importId = await tenant.storeImport({ all: true });
  const handle = await startImportRun(run, tenant, importId, { historyLimit });
  return { tenant, id, importId, handle };
}

/** The names of what was called so far, in order. */
const called = (run: BenchRun): string[] =>
  run.bitbucket.calls.map((call) => call.split(' ')[0] ?? '').filter((name) => /^(import|link)/.test(name));

test('the API is read while git is; a pause stops both, and the links come behind both', async () => {
  await bench.run(async (run) => {
    const { tenant, id, importId, handle } = await begin(run, {
      git: ['hang', { done: true }],
      chunks: [{}, {}, 'hang', { done: true }],
    });
    await untilCalled(run, 'importGit');
    await untilCalled(run, 'importChunk', 3);
    await tellImport(run, importId, messages.pauseImport);
    await untilRepository(tenant, importId, id, 'paused');
    await run.restart();
    await tellImport(run, importId, messages.resumeImport);
    await handle.result();
    expect(await tenant.importRow(importId)).toMatchObject({ state: 'completed' });
    expect(called(run).filter((name) => name === 'importGit')).toHaveLength(2);
    expect(called(run).filter((name) => name === 'importChunk')).toHaveLength(4);
    expect(called(run).filter((name) => name === 'linkCommits')).toHaveLength(1);
    expect(called(run).at(-1)).toBe('linkCommits');
    await run.record('side-by-side', repositoryRun(run, id).workflowId);
  });
});

test('one of a size that nobody knows is read in turn, and links itself', async () => {
  await bench.run(async (run) => {
    const tenant = await bench.tenant('active');
    const [id = ''] = await tenant.repositories(1);
    const importId = await tenant.storeImport({ all: true });
    const handle = await startImportRun(run, tenant, importId);
    await handle.result();
    expect(called(run)).toEqual(['importGit', 'importChunk']);
    expect(await tenant.repositoryRows(importId)).toMatchObject([{ id, state: 'completed' }]);
  });
});

test('where git fails the API comes to rest at its checkpoint, also in a wait', async () => {
  for (const chunk of ['hang', waits(3_600)] as const) {
    await bench.run(async (run) => {
      const { tenant, importId, handle } = await begin(run, {
        git: [waits(1), failureOf('RepositoryGone')],
        chunks: [chunk],
      });
      await handle.result();
      expect(await tenant.repositoryRows(importId)).toMatchObject([
        { state: 'failed', error: { code: 'RepositoryGone' } },
      ]);
      expect(called(run)).not.toContain('linkCommits');
    });
  }
});

test('where the API fails git goes on to its end, and what failed is said', async () => {
  await bench.run(async (run) => {
    const { tenant, importId, handle } = await begin(run, {
      git: [waits(2), { done: true }],
      chunks: [failureOf('NotPermitted')],
    });
    await handle.result();
    expect(await tenant.repositoryRows(importId)).toMatchObject([
      { state: 'failed', error: { code: 'NotPermitted' } },
    ]);
    expect(called(run).toSorted()).toEqual(['importChunk', 'importGit', 'importGit']);
  });
});

test('of two waits the row says the one that is left', async () => {
  await bench.run(async (run) => {
    const { tenant, id, importId, handle } = await begin(run, {
      git: [waits(2), { done: true }],
      chunks: [waits(600), { done: true }],
    });
    await untilRepository(tenant, importId, id, 'rate_limited');
    await untilCalled(run, 'importGit', 2);
    await waitFor({
      what: 'the wait of the API is the one in the row',
      read: () =>
        bench.sql`select state, waiting_reason from import_repositories where import_id = ${importId}`,
      until: ([row]) =>
        row?.['state'] === 'rate_limited' && row['waiting_reason'] === 'Bitbucket allowance of 600 s',
    });
    await repositoryRun(run, id).signal(messages.allowanceFreed);
    await handle.result();
    expect(await tenant.importRow(importId)).toMatchObject({ state: 'completed', waiting_until: null });
  });
});

test('a refused credential is told once, and both go on with the next', async () => {
  await bench.run(async (run) => {
    const { tenant, id, importId, handle } = await begin(run, {
      git: [failureOf('AuthRefused'), { done: true }],
      chunks: [failureOf('AuthRefused'), { done: true }],
    });
    await untilRepository(tenant, importId, id, 'needs_credential');
    await tellImport(run, importId, messages.pauseImport);
    await untilRepository(tenant, importId, id, 'paused');
    await tellImport(run, importId, messages.resumeImport);
    await handle.result();
    expect(await tenant.importRow(importId)).toMatchObject({ state: 'completed' });
    const { events } = await repositoryRun(run, id).fetchHistory();
    const told = (events ?? []).filter(
      ({ signalExternalWorkflowExecutionInitiatedEventAttributes: signal }) =>
        signal?.workflowExecution?.workflowId === integrationWorkflowId(tenant.integrationId),
    );
    expect(told).toHaveLength(1);
  });
});

test('a long history: the next run reads what is left of both', async () => {
  await bench.run(async (run) => {
    const chunks: Step[] = [...Array.from({ length: 8 }, () => ({})), { done: true }];
    const { tenant, id, importId, handle } = await begin(run, { git: [{ done: true }], chunks }, 40);
    await handle.result();
    expect(await tenant.importRow(importId)).toMatchObject({ state: 'completed' });
    const names = called(run);
    expect(names.filter((name) => name === 'importGit')).toHaveLength(1);
    expect(names.filter((name) => name === 'importChunk')).toHaveLength(9);
    expect(names.filter((name) => name === 'linkCommits')).toHaveLength(1);
    const { events } = await repositoryRun(run, id).fetchHistory();
    expect(events?.[0]?.workflowExecutionStartedEventAttributes?.continuedExecutionRunId).toBeTruthy();
  });
});
