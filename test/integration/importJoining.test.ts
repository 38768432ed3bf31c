import { describe, expect, test } from 'vitest';
import { totalStreams } from '../../db/queries/api/imports.ts';
import { selectPushed } from '../../db/queries/poll/changes.ts';
import * as messages from '../../workflows/messages.ts';
import { type ImportMode, STREAMS } from '../../workflows/words.ts';
import { callsOf, untilCalled } from '../support/bitbucketCalls.ts';
import { failureOf, type Step } from '../support/fakeBitbucket.ts';
import {
  repositoryRun,
  startImportRun,
  tellImport,
  untilImport,
  untilJoined,
  untilRepository,
} from '../support/importBench.ts';
import { type BenchRun, useWorkflowBench } from '../support/workflowBench.ts';

/** Several imports want the same repository: one run reads it, for all of them, whatever becomes of one. */
const bench = useWorkflowBench();

/** Two imports of one repository; the first one's run reads git when the second has joined. */
async function joined(run: BenchRun, git: Step[], modes: [ImportMode, ImportMode] = ['changed', 'changed']) {
  const tenant = await bench.tenant('active');
  const [id] = await tenant.repositories(1);
  run.bitbucket.git.set(id!, git);
  const one = await tenant.storeImport({ all: true }, modes[0]);
  const two = await tenant.storeImport({ repositories: [id] }, modes[1]);
  const first = await startImportRun(run, tenant, one);
  await untilGit(run, 1);
  const second = await startImportRun(run, tenant, two);
  await untilRepository(tenant, two, id!, 'running', 10_000);
  await untilJoined(run, id!);
  return { tenant, id: id!, one, two, first, second };
}

const untilGit = (run: BenchRun, times: number) =>
  untilCalled(run, 'importGit', times, times === 1 ? 10_000 : 5_000);

describe('the import whose run reads a repository', () => {
  test('is cancelled: the one that joined goes on at once', async () => {
    await bench.run(async (run) => {
      const { tenant, one, two, first, second } = await joined(run, ['hang', { done: true }]);
      await tellImport(run, one, messages.cancelImport);
      await untilImport(tenant, one, 'cancelled');
      await untilGit(run, 2);
      await Promise.all([first.result(), second.result()]);
      expect(await tenant.repositoryRows(one)).toMatchObject([{ state: 'cancelled' }]);
      expect(await tenant.repositoryRows(two)).toMatchObject([{ state: 'completed' }]);
    });
  });

  test('is paused: the one that joined goes on, and the outcome is for both', async () => {
    await bench.run(async (run) => {
      const { tenant, one, two, first, second } = await joined(run, ['hang', { done: true }]);
      await tellImport(run, one, messages.pauseImport);
      await untilGit(run, 2);
      await second.result();
      expect(await tenant.importRow(two)).toMatchObject({ state: 'completed' });
      expect(await tenant.repositoryRows(one)).toMatchObject([{ state: 'completed' }]);
      // Nothing is left to resume.
      await first.result();
      expect(await tenant.importRow(one)).toMatchObject({ state: 'completed' });
    });
  });

  test('is paused, and so is the other: it goes on with the first that is resumed', async () => {
    await bench.run(async (run) => {
      let goOn = (): void => {};
      const held = new Promise<{ done: true }>((resolve) => {
        goOn = () => resolve({ done: true });
      });
      const { tenant, id, one, two, first, second } = await joined(run, ['hang', 'hang', held]);
      await tellImport(run, one, messages.pauseImport);
      await untilGit(run, 2);
      await tellImport(run, two, messages.pauseImport);
      for (const importId of [two, one]) await untilRepository(tenant, importId, id, 'paused');
      await tellImport(run, one, messages.resumeImport);
      await untilGit(run, 3);
      // The second is cancelled while it is paused and reads nothing.
      await tellImport(run, two, messages.cancelImport);
      await untilImport(tenant, two, 'cancelled');
      goOn();
      await Promise.all([first.result(), second.result()]);
      expect(await tenant.importRow(one)).toMatchObject({ state: 'completed' });
    });
  });

  test('joined another in mode changed: what is to be read in full is read again, at once', async () => {
    await bench.run(async (run) => {
      const { tenant, one, two, first, second } = await joined(
        run,
        ['hang', { done: true }, { done: true }],
        ['changed', 'full'],
      );
      await tellImport(run, one, messages.pauseImport);
      await untilGit(run, 2);
      await Promise.all([first.result(), second.result()]);
      expect(await tenant.importRow(one)).toMatchObject({ state: 'completed' });
      expect(await tenant.importRow(two)).toMatchObject({ state: 'completed' });
    });
  });

  test('has read it in mode changed: what is to be read in full is read again, at once', async () => {
    await bench.run(async (run) => {
      const tenant = await bench.tenant('active');
      const [id] = await tenant.repositories(1);
      const limited = { until: new Date(Date.now() + 600_000).toISOString(), why: 'Bitbucket allowance' };
      run.bitbucket.chunks.set(id!, [{ limited }]);
      run.bitbucket.git.set(id!, [{ done: true }, 'hang', { done: true }]);
      const one = await tenant.storeImport({ all: true });
      const first = await startImportRun(run, tenant, one, { lookAgainEveryMs: 600_000 });
      await untilRepository(tenant, one, id!, 'rate_limited', 10_000);
      const two = await tenant.storeImport({ all: true }, 'full');
      const second = await startImportRun(run, tenant, two, { lookAgainEveryMs: 600_000 });
      await untilJoined(run, id!);
      await repositoryRun(run, id!).signal(messages.allowanceFreed);
      // The one whose outcome is written ends, though the run goes on.
      await first.result();
      await untilGit(run, 2);
      await tellImport(run, two, messages.pauseImport);
      await tellImport(run, two, messages.resumeImport);
      await second.result();
      expect(callsOf(run, 'importGit')).toHaveLength(3);
      for (const importId of [one, two]) {
        expect(await tenant.importRow(importId)).toMatchObject({ state: 'completed' });
      }
    });
  });

  test('fails: another integration, which may be allowed more, tries for itself', async () => {
    await bench.run(async (run) => {
      const { tenant, id, one } = await joined(run, ['hang', failureOf('RepositoryGone'), { done: true }]);
      const other = await tenant.sibling();
      const three = await other.storeImport({ repositories: [id] });
      const third = await startImportRun(run, other, three);
      await untilRepository(tenant, three, id, 'running');
      await tellImport(run, one, messages.pauseImport);
      await tellImport(run, one, messages.resumeImport);
      await third.result();
      expect(await tenant.importRow(three)).toMatchObject({ state: 'completed' });
      expect(await tenant.repositoryRows(one)).toMatchObject([{ state: 'failed' }]);
    });
  });

  test.each([
    ['has a service less', { services: ['repositories'] }, 2],
    ['takes commits from lists', { commit_source: 'api' }, 1],
  ])('%s: another integration reads for itself what it leaves out', async (_, set, byGit) => {
    await bench.run(async (run) => {
      const tenant = await bench.tenant('active');
      const [id] = await tenant.repositories(1);
      const other = await tenant.sibling();
      await bench.sql`update integrations set ${bench.sql(set)} where id = ${tenant.integrationId}`;
      let goOn = (): void => {};
      const held = new Promise<{ done: true }>((resolve) => (goOn = () => resolve({ done: true })));
      run.bitbucket.git.set(id!, [held]);
      run.bitbucket.chunks.set(id!, [held]);
      const one = await tenant.storeImport({ all: true });
      const first = await startImportRun(run, tenant, one);
      await untilCalled(run, 'import', 1, 10_000);
      const two = await other.storeImport({ all: true });
      const second = await startImportRun(run, other, two);
      await untilJoined(run, id!);
      goOn();
      await Promise.all([first.result(), second.result()]);
      for (const importId of [one, two]) {
        expect(await tenant.importRow(importId)).toMatchObject({ state: 'completed' });
      }
      expect(callsOf(run, 'importGit')).toHaveLength(byGit);
      const read = await bench.sql`select stream from import_streams
        where import_id = ${two} and state = 'healthy'`;
      expect(read).toHaveLength(STREAMS.length);
    });
  });
});

test('the one that joined shows the progress of the run that reads, and counts no request twice', async () => {
  await bench.run(async (run) => {
    const { tenant, id, one, two, first, second } = await joined(run, ['hang', { done: true }]);
    await bench.sql`insert into import_streams (organization_id, import_id, repository_id, stream, state, records_stored,
        records_expected, requests)
      values (${tenant.organizationId}, ${one}, ${id}, 'pull_requests', 'processing', 50, 120, 1)
      on conflict (organization_id, import_id, repository_id, stream) do update
        set state = 'processing', records_stored = 50, records_expected = 120, requests = 1`;
    const shown = async (importId: string) =>
      (await bench.database.transaction(tenant.organizationId, (tx) => totalStreams(tx, importId))).find(
        ({ stream }) => stream === 'pull_requests',
      );
    expect(await shown(one)).toMatchObject({ stored: 50, expected: 120, requests: 1 });
    expect(await shown(two)).toMatchObject({ stored: 50, expected: 120, requests: 0 });
    await tellImport(run, one, messages.pauseImport);
    await Promise.all([first.result(), second.result()]);
    expect(await tenant.importRow(one)).toMatchObject({ state: 'completed' });
  });
});

test('a push behind the begin of the run that reads is news to the next poll round, whoever joined it since', async () => {
  await bench.run(async (run) => {
    let goOn = (): void => {};
    const held = new Promise<{ done: true }>((resolve) => (goOn = () => resolve({ done: true })));
    const { tenant, id, one, two, first, second } = await joined(run, [held]);
    await bench.sql`update import_repositories set started_at = now() - interval '1 hour' where import_id = ${one}`;
    goOn();
    await Promise.all([first.result(), second.result()]);
    expect(await tenant.repositoryRows(two)).toMatchObject([{ state: 'completed' }]);
    const [row] = await bench.sql<{ uuid: string }[]>`
      select provider_uuid as uuid from repositories where id = ${id}`;
    const pushedBefore = (minutes: number) => {
      const at = new Date(Date.now() - minutes * 60_000).toISOString();
      const { organizationId, integrationId } = tenant;
      const pushes = {
        organizationId,
        integrationId,
        updated: [{ uuid: row!.uuid, at }],
        overlapMs: 300_000,
      };
      return bench.database.transaction(organizationId, (tx) => selectPushed(tx, pushes));
    };
    expect(await pushedBefore(30)).toMatchObject([{ repositoryId: id }]);
    expect(await pushedBefore(90)).toEqual([]);
  });
});

test('an import that is to go on for a run that ends at this very moment starts its own', async () => {
  const tenant = await bench.tenant('active');
  const [id] = await tenant.repositories(1);
  await bench.run(async (run) => {
    // Ten imports one after the other while the runs before them end: none may wait for a run that is gone.
    const imports = await Promise.all(
      Array.from({ length: 10 }, () => tenant.storeImport({ repositories: [id] }, 'full')),
    );
    const handles = await Promise.all(
      imports.map((importId) => startImportRun(run, tenant, importId, { lookAgainEveryMs: 120_000 })),
    );
    await Promise.all(handles.map((handle) => handle.result()));
    for (const importId of imports) {
      expect(await tenant.importRow(importId)).toMatchObject({ state: 'completed' });
    }
  });
});
