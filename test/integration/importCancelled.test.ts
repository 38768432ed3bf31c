import { describe, expect, test } from 'vitest';
import { importRepositoryWorkflowId } from '../../workflows/ids.ts';
import * as messages from '../../workflows/messages.ts';
import { failureOf } from '../support/fakeBitbucket.ts';
import { startImportRun, tellImport, untilJoined, untilRepository } from '../support/importBench.ts';
import { waitFor } from '../support/waitFor.ts';
import { useWorkflowBench } from '../support/workflowBench.ts';

/** Imports that are called off, by a person or an operator. */
const bench = useWorkflowBench();

/** Not promised within a time: only that it comes. */
const SOON_MS = 60_000;

describe('an import', () => {
  test('cancelled: what runs stops at its checkpoint, and every row ends', async () => {
    const tenant = await bench.tenant('active');
    const ids = await tenant.repositories(4);
    const importId = await tenant.storeImport({ all: true });
    await bench.run(async (run) => {
      for (const id of ids) run.bitbucket.git.set(id, ['hang']);
      const handle = await startImportRun(run, tenant, importId, { fanOut: 2 });
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
      const handle = await startImportRun(run, tenant, importId, { historyLimit });
      await untilRepository(tenant, importId, id!, 'running', SOON_MS);
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
      await (await startImportRun(run, tenant, importId)).result();
      expect(await tenant.importRow(importId)).toMatchObject({ state: 'cancelled' });
      const events = await tenant.events(importId);
      expect(events.slice(-2)).toEqual(['import_cancelling', 'import_cancelled']);
    });
  });
});
