import { expect, test } from 'vitest';
import { listMissed } from '../../db/queries/poll/keptRepositories.ts';
import { noteMissed } from '../../db/queries/syncs.ts';
import type { Service } from '../../workflows/words.ts';
import { callsOf, holdChunks, untilCalled } from '../support/bitbucketCalls.ts';
import { failureOf } from '../support/fakeBitbucket.ts';
import { repositoryRun, startImportRun, untilJoined } from '../support/importBench.ts';
import type { TestTenant } from '../support/integrationRows.ts';
import { hint, importedRepository, syncRow, syncRun, syncsOf, untilSyncRow } from '../support/syncBench.ts';
import { waitFor } from '../support/waitFor.ts';
import { useWorkflowBench } from '../support/workflowBench.ts';

/** `syncRepository`: hints become syncs, one at a time, and none is lost. */
const bench = useWorkflowBench();

const GIT_STREAMS = ['commits', 'refs'];

/** The streams that the runs of a repository have touched in their syncs. */
const streamsOf = async (syncId: string): Promise<string[]> =>
  (await bench.sql<{ stream: string }[]>`select stream from import_streams where import_id = ${syncId}`)
    .map(({ stream }) => stream)
    .toSorted();

/** Something may have changed of it while nothing was fetched. */
const miss = ({ organizationId }: TestTenant, repositoryId: string, services: Service[]) =>
  bench.database.transaction(organizationId, (tx) =>
    noteMissed(tx, { organizationId, repositoryId, services }),
  );

/** What a poll round tells of it. */
const toldOf = (tenant: TestTenant) =>
  bench.database.transaction(tenant.organizationId, (tx) => listMissed(tx, tenant));

test('a push asks git alone, and nothing of the API', async () => {
  await bench.run(async (run) => {
    const tenant = await bench.tenant('active');
    const id = await importedRepository(bench, tenant);
    await (await hint(run, tenant, id, { services: ['repositories'] })).result();
    const [sync] = await syncsOf(bench.sql, id);
    expect(sync).toMatchObject({ state: 'completed', outcome: 'completed', services: ['repositories'] });
    expect(await streamsOf(sync!.id)).toEqual(GIT_STREAMS);
    expect(callsOf(run, 'importChunk')).toEqual([]);
    expect(await syncRow(bench.sql, id)).toMatchObject({ last_sync_id: sync!.id, failures: 0, missed: null });
    await run.record('sync', syncRun(run, id).workflowId);
  });
});

test('a hint that comes while a sync reads is taken up by another round; of those that ended the last is kept', async () => {
  await bench.run(async (run) => {
    const tenant = await bench.tenant('active');
    const id = await importedRepository(bench, tenant);
    const release = holdChunks(run);
    const handle = await hint(run, tenant, id, { services: ['pull_requests'] });
    await untilCalled(run, 'importChunk');
    await hint(run, tenant, id, { services: ['pull_requests'] });
    await hint(run, tenant, id, { services: ['repositories'] });
    release();
    await handle.result();
    expect(callsOf(run, 'importChunk')).toHaveLength(2);
    expect(await syncsOf(bench.sql, id)).toMatchObject([
      { outcome: 'completed', services: ['repositories', 'pull_requests'] },
    ]);
  });
});

test('a sync waits for the import that reads the repository, and comes behind it', async () => {
  await bench.run(async (run) => {
    const tenant = await bench.tenant('active');
    const id = await importedRepository(bench, tenant);
    const release = holdChunks(run);
    const importId = await tenant.storeImport({ all: true });
    const importing = await startImportRun(run, tenant, importId);
    await untilCalled(run, 'importChunk');
    const syncing = await hint(run, tenant, id, { services: ['pull_requests'] });
    await waitFor({
      what: 'the sync waits',
      read: async () => JSON.stringify(await syncing.query('__temporal_workflow_metadata')),
      until: (text) => text.includes('an import reads the repository'),
    });
    expect(await syncsOf(bench.sql, id)).toEqual([]);
    release();
    await importing.result();
    await syncing.result();
    expect(await syncsOf(bench.sql, id)).toMatchObject([{ outcome: 'completed' }]);
  });
});

test('a sync that waits long for an import continues as new, and forgets no hint', async () => {
  await bench.run(async (run) => {
    const tenant = await bench.tenant('active');
    const id = await importedRepository(bench, tenant);
    const release = holdChunks(run);
    const importId = await tenant.storeImport({ all: true });
    const importing = await startImportRun(run, tenant, importId);
    await untilCalled(run, 'importChunk');
    const timing = { busyMs: 20, mostBusyMs: 20, historyLimit: 30 };
    const syncing = await hint(run, tenant, id, { services: ['pull_requests'], timing });
    await waitFor({
      what: 'it has continued as new',
      read: async () => (await syncRun(run, id).describe()).runId,
      until: (runId) => runId !== syncing.signaledRunId,
    });
    await run.record('sync-goes-on-anew', syncing.workflowId, syncing.signaledRunId);
    release();
    await importing.result();
    await syncing.result();
    expect(await syncsOf(bench.sql, id)).toMatchObject([
      { outcome: 'completed', services: ['pull_requests'] },
    ]);
  });
});

test('an import that joins the sync of a part is not ended by it: it reads the rest', async () => {
  await bench.run(async (run) => {
    const tenant = await bench.tenant('active');
    const id = await importedRepository(bench, tenant);
    const release = holdChunks(run);
    const syncing = await hint(run, tenant, id, { services: ['pull_requests'] });
    await untilCalled(run, 'importChunk');
    const importId = await tenant.storeImport({ all: true });
    const importing = await startImportRun(run, tenant, importId);
    await untilJoined(run, id);
    release();
    await importing.result();
    await syncing.result();
    expect(await tenant.repositoryRows(importId)).toMatchObject([{ state: 'completed' }]);
    expect(await streamsOf(importId)).toEqual(expect.arrayContaining(GIT_STREAMS));
    expect(run.bitbucket.calls.some((call) => call.startsWith('importGit'))).toBe(true);
  });
});

test('a repository that fails is parked, for twice as long each time; a person has it tried at once', async () => {
  await bench.run(async (run) => {
    const tenant = await bench.tenant('active');
    const id = await importedRepository(bench, tenant);
    run.bitbucket.chunks.set(id, [failureOf('NotFound'), failureOf('NotFound'), { done: true }]);
    const timing = { firstParkedMs: 60_000, mostParkedMs: 3_600_000 };
    const handle = await hint(run, tenant, id, { services: ['pull_requests'], timing });
    const first = await untilSyncRow(bench.sql, id, 'it is parked', (row) => row?.failures === 1);
    expect(first).toMatchObject({ last_error: { code: 'NotFound' }, last_success_at: null });
    await hint(run, tenant, id, { services: ['repositories'], by: 'webhook' });
    await hint(run, tenant, id, { services: ['repositories'], by: 'person' });
    const second = await untilSyncRow(bench.sql, id, 'it is parked again', (row) => row?.failures === 2);
    const parkedFor = (row: typeof first) => row!.next_attempt_at!.getTime() - Date.now();
    expect(parkedFor(second)).toBeGreaterThan(parkedFor(first) + 50_000);
    await hint(run, tenant, id, { services: [], by: 'person' });
    await handle.result();
    const [sync] = await syncsOf(bench.sql, id);
    expect(sync?.services).toEqual(['repositories', 'pull_requests']);
    expect(await syncRow(bench.sql, id)).toMatchObject({
      failures: 0,
      last_error: null,
      next_attempt_at: null,
    });
  });
});

test('a repository that goes on failing is parked from five minutes on to half a day, and never for longer', async () => {
  await bench.run(async (run) => {
    const tenant = await bench.tenant('active');
    const id = await importedRepository(bench, tenant);
    const MINUTES_BEHIND_FAILURES = [
      [0, 5],
      [1, 10],
      [2, 20],
      [7, 640],
      [8, 720],
      [9, 720],
      [5_000, 720],
    ] as const;
    run.bitbucket.chunks.set(id, [
      ...MINUTES_BEHIND_FAILURES.map(() => failureOf('NotFound')),
      { done: true },
    ]);
    for (const [failures, minutes] of MINUTES_BEHIND_FAILURES) {
      await bench.sql`update repository_syncs set failures = ${failures} where repository_id = ${id}`;
      await hint(run, tenant, id, { services: ['pull_requests'], by: 'person' });
      const what = `it is parked behind ${failures} failures and one more`;
      const row = await untilSyncRow(bench.sql, id, what, (one) => one?.failures === failures + 1);
      expect(Math.round((row!.next_attempt_at!.getTime() - Date.now()) / 60_000), what).toBe(minutes);
    }
    await (await hint(run, tenant, id, { services: [], by: 'person' })).result();
    expect(await syncRow(bench.sql, id)).toMatchObject({ failures: 0, next_attempt_at: null });
  });
});

test('while the integration is paused nothing is fetched; what was missed comes with the next sync', async () => {
  await bench.run(async (run) => {
    const tenant = await bench.tenant('active');
    const id = await importedRepository(bench, tenant);
    await bench.sql`update integrations set state = 'paused' where id = ${tenant.integrationId}`;
    await (await hint(run, tenant, id, { services: ['pull_requests'] })).result();
    expect(run.bitbucket.calls).toEqual([]);
    expect(await syncRow(bench.sql, id)).toMatchObject({ missed: ['pull_requests'], last_sync_id: null });
    await bench.sql`update integrations set state = 'active' where id = ${tenant.integrationId}`;
    await (await hint(run, tenant, id, { services: ['repositories'] })).result();
    expect(await syncsOf(bench.sql, id)).toMatchObject([{ services: ['repositories', 'pull_requests'] }]);
    expect(await syncRow(bench.sql, id)).toMatchObject({ missed: null });
  });
});

test('what was missed before is missed again where its sync fails, and is told by a round once that is not parked any more', async () => {
  await bench.run(async (run) => {
    const tenant = await bench.tenant('active');
    const id = await importedRepository(bench, tenant);
    await miss(tenant, id, ['pull_requests']);
    expect(await toldOf(tenant)).toMatchObject([{ services: ['pull_requests'] }]);
    run.bitbucket.git.set(id, [failureOf('NotFound'), { done: true }]);
    const handle = await hint(run, tenant, id, { services: ['repositories'] });
    await untilSyncRow(bench.sql, id, 'it is parked', (row) => row?.failures === 1);
    expect(await toldOf(tenant)).toEqual([]);
    await bench.sql`update repository_syncs set next_attempt_at = now() where repository_id = ${id}`;
    expect(await toldOf(tenant)).toMatchObject([{ services: ['pull_requests', 'repositories'] }]);
    await hint(run, tenant, id, { services: [], by: 'person' });
    await handle.result();
    expect(await syncsOf(bench.sql, id)).toMatchObject([
      { outcome: 'completed', services: ['repositories', 'pull_requests'] },
    ]);
    expect(await syncRow(bench.sql, id)).toMatchObject({ missed: null });
  });
});

test.each([
  ['was parked', failureOf('NotFound')],
  ['read', 'hang' as const],
])(
  'what was missed before outlives the run of its sync, which an operator ended while it %s',
  async (_, step) => {
    await bench.run(async (run) => {
      const tenant = await bench.tenant('active');
      const id = await importedRepository(bench, tenant);
      await miss(tenant, id, ['pull_requests']);
      run.bitbucket.git.set(id, [step, { done: true }]);
      const hinted = { services: ['repositories' as const] };
      await hint(run, tenant, id, hinted);
      await untilCalled(run, 'importGit');
      if (step !== 'hang') await untilSyncRow(bench.sql, id, 'it is parked', (row) => row?.failures === 1);
      await syncRun(run, id).terminate('by an operator');
      if (step === 'hang') await repositoryRun(run, id).terminate('by an operator');
      await (await hint(run, tenant, id, hinted)).result();
      expect((await syncsOf(bench.sql, id)).at(-1)).toMatchObject({
        outcome: 'completed',
        services: ['repositories', 'pull_requests'],
      });
    });
  },
);

test('a hint that the run of another integration heard is left to the next round of the one that took the repository over', async () => {
  await bench.run(async (run) => {
    const tenant = await bench.tenant('active');
    const id = await importedRepository(bench, tenant);
    const taker = await tenant.sibling();
    await bench.sql`update repositories set integration_id = ${taker.integrationId} where id = ${id}`;
    await (await hint(run, tenant, id, { services: ['tickets'] })).result();
    expect(await syncsOf(bench.sql, id)).toEqual([]);
    expect(await syncRow(bench.sql, id)).toMatchObject({ missed: ['tickets'] });
  });
});

test('what is not imported, not there or switched off is left alone', async () => {
  await bench.run(async (run) => {
    const tenant = await bench.tenant('active');
    const [neverImported = ''] = await tenant.repositories(1);
    await (await hint(run, tenant, neverImported)).result();
    const other = await bench.tenant('active');
    const foreign = await importedRepository(bench, other);
    await (await hint(run, tenant, foreign)).result();
    const off = await bench.tenant('active');
    const id = await importedRepository(bench, off);
    await bench.sql`update integrations set services = '{repositories}' where id = ${off.integrationId}`;
    await miss(off, id, ['tickets']);
    expect(await toldOf(off)).toEqual([]);
    await (await hint(run, off, id, { services: ['tickets'] })).result();
    expect(run.bitbucket.calls).toEqual([]);
    for (const one of [neverImported, foreign, id]) expect(await syncsOf(bench.sql, one)).toEqual([]);
  });
});

test('a sync whose runs were lost while it waited for the allowance goes with the end of the next one', async () => {
  await bench.run(async (run) => {
    const tenant = await bench.tenant('active');
    const id = await importedRepository(bench, tenant);
    const limited = { until: new Date(Date.now() + 3_600_000).toISOString(), why: 'Bitbucket allowance' };
    run.bitbucket.chunks.set(id, [{ limited }]);
    await hint(run, tenant, id, { services: ['pull_requests'] });
    await waitFor({
      what: 'it waits',
      read: () => syncsOf(bench.sql, id),
      until: ([sync]) => sync?.outcome === 'rate_limited',
    });
    for (const lost of [syncRun(run, id), repositoryRun(run, id)]) await lost.terminate('lost');
    await (await hint(run, tenant, id, { services: ['pull_requests'] })).result();
    expect(await syncsOf(bench.sql, id)).toMatchObject([{ state: 'completed', outcome: 'completed' }]);
  });
});

test('a run that an operator ends leaves a parked repository, not a hanging one', async () => {
  await bench.run(async (run) => {
    const tenant = await bench.tenant('active');
    const id = await importedRepository(bench, tenant);
    run.bitbucket.chunks.set(id, ['hang', { done: true }]);
    const handle = await hint(run, tenant, id, { services: ['pull_requests'] });
    await untilCalled(run, 'importChunk');
    await repositoryRun(run, id).terminate('by an operator');
    await untilSyncRow(bench.sql, id, 'it is parked', (row) => row?.failures === 1);
    expect(await syncsOf(bench.sql, id)).toMatchObject([
      { state: 'completed_with_failures', outcome: 'failed' },
    ]);
    await hint(run, tenant, id, { services: [], by: 'person' });
    await handle.result();
    expect(await syncsOf(bench.sql, id)).toMatchObject([{ outcome: 'completed' }]);
  });
});
