import { describe, expect, test } from 'vitest';
import * as messages from '../../workflows/messages.ts';
import { callsOf, untilCalled } from '../support/bitbucketCalls.ts';
import {
  repositoryRun,
  tellImport,
  untilImport,
  untilJoined,
  untilRepository,
} from '../support/importBench.ts';
import type { TestTenant } from '../support/integrationRows.ts';
import { begunImport, catchUpsOf, changeServices, streamsOf } from '../support/servicesBench.ts';
import { importedRepository } from '../support/syncBench.ts';
import { actor, command, integrationGoesOn, refusalOf, useWorkflowBench } from '../support/workflowBench.ts';

const bench = useWorkflowBench();

describe('a service that is switched on while the outcome of a repository is being written', () => {
  /** Holds the next outcome until released, ahead of its row; on the queue, so that its run hears what is said meanwhile. */
  function heldOutcome() {
    let arrive = (): void => {};
    let release = (): void => {};
    const arrived = new Promise<void>((resolve) => (arrive = resolve));
    const released = new Promise<void>((resolve) => (release = resolve));
    const held = { before: () => (arrive(), released) };
    const fails = async () => {
      bench.meanwhile('finishRepository', held);
      throw new Error('Postgres is away.');
    };
    bench.meanwhile('finishRepository', { before: fails });
    return { arrived, release: () => release() };
  }

  async function withRepositoriesOnly(): Promise<TestTenant> {
    const tenant = await bench.tenant('active');
    await bench.sql`update integrations set services = '{repositories}' where id = ${tenant.integrationId}`;
    return tenant;
  }

  test('is read by its first import, which nothing catches up with', async () => {
    const tenant = await withRepositoriesOnly();
    const [id] = await tenant.repositories(1);
    await bench.run(async (run) => {
      const { arrived, release } = heldOutcome();
      const importId = await begunImport(run, tenant);
      await arrived;
      const { runId } = await repositoryRun(run, id!).describe();
      await changeServices(run, tenant, ['repositories', 'pull_requests']);
      release();
      await untilImport(tenant, importId, 'completed');
      expect(await streamsOf(bench.sql, importId)).toMatchObject({
        commits: 'healthy',
        pull_requests: 'healthy',
      });
      expect(callsOf(run, 'importGit')).toHaveLength(1);
      expect(await catchUpsOf(bench.sql, tenant)).toEqual([]);
      await run.record('services-changed-at-the-end', `repository/${id}/import`, runId);
    }, integrationGoesOn(tenant));
  });

  test('is read for the import and for what catches up, and both hear of their pauses until then', async () => {
    const tenant = await withRepositoriesOnly();
    const id = await importedRepository(bench, tenant);
    await bench.run(async (run) => {
      run.bitbucket.chunks.set(id, ['hang', { done: true }]);
      const { arrived, release } = heldOutcome();
      const importId = await begunImport(run, tenant);
      await arrived;
      await changeServices(run, tenant, ['repositories', 'pull_requests']);
      await untilJoined(run, id);
      // As after its own run was lost, and began again.
      const { integrationId } = tenant;
      await repositoryRun(run, id).signal(messages.joinRepository, { importId, integrationId, paused: null });
      release();
      await untilCalled(run, 'importChunk');
      const [catchUp] = await catchUpsOf(bench.sql, tenant);
      await command(run, tenant, messages.pause, { actor });
      for (const one of [importId, catchUp!.id]) await untilRepository(tenant, one, id, 'paused');
      await command(run, tenant, messages.resume, { actor });
      for (const one of [importId, catchUp!.id]) {
        await untilImport(tenant, one, 'completed');
        expect(await streamsOf(bench.sql, one)).toMatchObject({ pull_requests: 'healthy' });
      }
    }, integrationGoesOn(tenant));
  });

  test('keeps no import from being cancelled', async () => {
    const tenant = await withRepositoriesOnly();
    const [id] = await tenant.repositories(1);
    await bench.run(async (run) => {
      run.bitbucket.chunks.set(id!, ['hang']);
      const { arrived, release } = heldOutcome();
      const importId = await begunImport(run, tenant);
      await arrived;
      await changeServices(run, tenant, ['repositories', 'pull_requests']);
      const cancelled = tellImport(run, importId, messages.cancelImport);
      release();
      expect(await refusalOf(cancelled)).toBeUndefined();
      await untilImport(tenant, importId, 'cancelled');
    }, integrationGoesOn(tenant));
  });
});
