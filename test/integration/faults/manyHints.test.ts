import { v7 as uuid } from 'uuid';
import { describe, expect, test, vi } from 'vitest';
import { createSyncActivities } from '../../../activities/imports/syncs.ts';
import { syncRepositoryWorkflowId } from '../../../workflows/ids.ts';
import { SYNC_TIMING } from '../../../workflows/timing.ts';
import { callsOf, holdChunks, untilCalled } from '../../support/bitbucketCalls.ts';
import { failureOf } from '../../support/fakeBitbucket.ts';
import { startImportRun } from '../../support/importBench.ts';
import type { TestTenant } from '../../support/integrationRows.ts';
import { isSoak, seedsTimeoutMs } from '../../support/seeds.ts';
import {
  hint,
  importedRepository,
  syncRow,
  syncRun,
  syncsOf,
  untilSyncRow,
} from '../../support/syncBench.ts';
import { waitFor } from '../../support/waitFor.ts';
import { type BenchRun, useWorkflowBench } from '../../support/workflowBench.ts';
import { collectHistories } from '../../support/workflows.ts';

/**
 * More hints for a repository than a run takes signals (reliability.md, F49: 10,000). The relay hands on one a second at
 * most, so they come within three hours, while a sync waits: for its own reading, for an import, or parked.
 */
const HINTS = isSoak() ? 10_500 : 200;
const AT_ONCE = 25;
const historyLimit = isSoak() ? SYNC_TIMING.historyLimit : 100;
/** What may come between a run's last look at its length and its end: hints that are sent at once, four events each. */
const SLACK = 8 * AT_ONCE;

vi.setConfig({ testTimeout: seedsTimeoutMs() });

const bench = useWorkflowBench();

const chunksOf = (run: BenchRun) => callsOf(run, 'importChunk');

/**
 * Throws when one of them is refused; ends when the run has continued as new over them. One in the middle says more than the
 * others.
 */
async function sendHints(run: BenchRun, tenant: TestTenant, repositoryId: string): Promise<void> {
  const first = (await syncRun(run, repositoryId).describe()).runId;
  for (let sent = 0; sent < HINTS; sent += AT_ONCE) {
    await Promise.all(
      Array.from({ length: AT_ONCE }, (_, index) =>
        hint(run, tenant, repositoryId, {
          services: sent + index === HINTS / 2 ? ['repositories'] : ['pull_requests'],
          timing: { historyLimit },
        }),
      ),
    );
    // As one a second leaves time: answered when those before are taken up.
    await syncRun(run, repositoryId).query('__temporal_workflow_metadata');
  }
  await waitFor({
    what: 'the run has continued as new while it waits',
    read: async () => (await syncRun(run, repositoryId).describe()).runId,
    until: (runId) => runId !== first,
  });
}

/** No run of the sync grew much beyond its limit. */
async function expectShortRuns({ client, taskQueue }: BenchRun, repositoryId: string): Promise<void> {
  const all = await collectHistories(client, taskQueue);
  const lengths = all
    .filter(({ run }) => run.workflowId === syncRepositoryWorkflowId(repositoryId))
    .map(({ history }) => history.events?.length ?? 0);
  expect(Math.max(...lengths)).toBeLessThan(historyLimit + SLACK);
}

test('a sync that is begun once more, because its task was lost, takes up what came meanwhile too', async () => {
  const tenant = await bench.tenant('active');
  const { organizationId, integrationId } = tenant;
  const repositoryId = await importedRepository(bench, tenant);
  const syncs = createSyncActivities({ database: bench.database, isRunning: async () => false });
  const of = { organizationId, integrationId, repositoryId, syncId: uuid() };
  await syncs.beginSync({ ...of, services: ['pull_requests'] });
  await syncs.beginSync({ ...of, services: ['pull_requests', 'repositories'] });
  expect(await syncsOf(bench.sql, repositoryId)).toMatchObject([
    { services: ['repositories', 'pull_requests'] },
  ]);
});

describe('F49: no hint is refused, and none is forgotten', () => {
  test('while the sync reads', async () => {
    await bench.run(async (run) => {
      const tenant = await bench.tenant('active');
      const id = await importedRepository(bench, tenant);
      const release = holdChunks(run);
      const syncing = await hint(run, tenant, id, { services: ['pull_requests'], timing: { historyLimit } });
      await untilCalled(run, 'importChunk');
      await sendHints(run, tenant, id);
      expect(chunksOf(run)).toHaveLength(1);
      release();
      await syncing.result();
      // What came while the first read is read by one more, and by one only.
      expect(chunksOf(run)).toHaveLength(2);
      expect(await syncsOf(bench.sql, id)).toMatchObject([
        { outcome: 'completed', services: ['repositories', 'pull_requests'] },
      ]);
      await expectShortRuns(run, id);
    });
  });

  test('while an import reads the repository', async () => {
    await bench.run(async (run) => {
      const tenant = await bench.tenant('active');
      const id = await importedRepository(bench, tenant);
      const release = holdChunks(run);
      const importing = await startImportRun(run, tenant, await tenant.storeImport({ all: true }));
      await untilCalled(run, 'importChunk');
      const syncing = await hint(run, tenant, id, { services: ['pull_requests'], timing: { historyLimit } });
      await sendHints(run, tenant, id);
      expect(await syncsOf(bench.sql, id)).toEqual([]);
      release();
      await importing.result();
      await syncing.result();
      // The import's own, and that of the one hint in the middle.
      expect(callsOf(run, 'importGit')).toHaveLength(2);
      expect(await syncsOf(bench.sql, id)).toMatchObject([{ outcome: 'completed' }]);
      await expectShortRuns(run, id);
    });
  });

  test('while the repository is parked: and none of them wakes it, but a person does', async () => {
    await bench.run(async (run) => {
      const tenant = await bench.tenant('active');
      const id = await importedRepository(bench, tenant);
      run.bitbucket.chunks.set(id, [failureOf('NotFound'), { done: true }]);
      const timing = { firstParkedMs: 6 * 3_600_000, mostParkedMs: 6 * 3_600_000, historyLimit };
      const syncing = await hint(run, tenant, id, { services: ['pull_requests'], timing });
      const parked = await untilSyncRow(bench.sql, id, 'it is parked', (row) => row?.failures === 1);
      await sendHints(run, tenant, id);
      expect(chunksOf(run)).toHaveLength(1);
      expect((await syncRow(bench.sql, id))?.next_attempt_at).toEqual(parked?.next_attempt_at);
      await hint(run, tenant, id, { services: [], by: 'person' });
      await syncing.result();
      expect(chunksOf(run)).toHaveLength(2);
      expect(await syncsOf(bench.sql, id)).toMatchObject([
        { outcome: 'completed', services: ['repositories', 'pull_requests'] },
      ]);
      await expectShortRuns(run, id);
    });
  });
});
