import { spawnSync } from 'node:child_process';
import { mkdtemp, readdir, readFile, rename, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { createOwner } from '../../activities/git/owner.ts';
import { createLogger } from '../../platform/log.ts';
import { type AttemptsInHand, createAttemptsInHand } from '../../worker/attemptsInHand.ts';
import { importRepositoryWorkflowId } from '../../workflows/ids.ts';
import * as messages from '../../workflows/messages.ts';
import { repositoryRun, tellImport, untilImport } from '../support/importBench.ts';
import type { Step } from '../support/fakeBitbucket.ts';
import type { TestTenant } from '../support/integrationRows.ts';
import { waitFor } from '../support/waitFor.ts';
import {
  actor,
  type BenchRun,
  command,
  integrationGoesOn,
  useWorkflowBench,
} from '../support/workflowBench.ts';

/** Temporal itself would need ten seconds. */
const SOONER_MS = 5_000;

let folder: string;
let attempts: AttemptsInHand;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'attempts-'));
});
// Before the bench's own: hooks behind the tests run from last to first, so its workers close before their folder goes.
afterAll(() => rm(folder, { recursive: true }));
const log = createLogger({ service: 'worker', level: 'silent' });
const bench = useWorkflowBench({
  attempts: (client) => (attempts = createAttemptsInHand({ folder, client, log, noteAfterMs: 0 })),
});
beforeEach(async () => {
  for (const name of await readdir(join(folder, 'attempts')).catch(() => []))
    await rm(pathOf(name), { force: true });
});

const pathOf = (name: string): string => join(folder, 'attempts', name);

/** Names of the notes about a repository; what only writes rows may be noted for a moment too. */
async function notesOf(repositoryId: string): Promise<string[]> {
  const names = await readdir(join(folder, 'attempts')).catch(() => []);
  const texts = await Promise.all(names.map((name) => readFile(pathOf(name), 'utf8').catch(() => '')));
  return names.filter((_, index) => texts[index]?.includes(importRepositoryWorkflowId(repositoryId)));
}

/** A process of this machine that has ended. */
function deadOwner(): string {
  const { pid } = spawnSync(process.execPath, ['--version']);
  return createOwner().me.replace(/-.*$/, `-${String(pid)}-1`);
}

/** As if the worker that noted them had been killed; its activities hang on, as those of a dead one say nothing. */
async function kill(repositoryId: string): Promise<void> {
  const owner = deadOwner();
  for (const name of await notesOf(repositoryId)) {
    await rename(pathOf(name), pathOf(`${owner}${name.slice(name.indexOf('.'))}`));
  }
}

const readsOf = (run: BenchRun, repositoryId: string): number =>
  run.bitbucket.calls.filter((call) => call === `importGit ${repositoryId}`).length;

async function untilRead(run: BenchRun, repositoryId: string, times: number): Promise<void> {
  await waitFor({
    what: `git is read ${String(times)} times`,
    read: () => readsOf(run, repositoryId),
    until: (count) => count === times,
    timeoutMs: SOONER_MS,
  });
}

const untilNotes = (repositoryId: string, count: number): Promise<string[]> =>
  waitFor({
    what: `${String(count)} attempts are noted`,
    read: () => notesOf(repositoryId),
    until: (names) => names.length === count,
  });

/** An import of one repository whose git hangs and, tried again, ends. */
async function hanging(
  run: BenchRun,
  tenant: TestTenant,
  step: Step = 'hang',
): Promise<{ importId: string; repositoryId: string }> {
  const [repositoryId] = await tenant.repositories(1);
  const importId = await tenant.storeImport({ all: true });
  run.bitbucket.git.set(repositoryId!, [step, { done: true }]);
  await command(run, tenant, messages.startImport, { importId, mode: 'changed', actor });
  await untilRead(run, repositoryId!, 1);
  await untilNotes(repositoryId!, 1);
  return { importId, repositoryId: repositoryId! };
}

test('what a dead worker had in hand is tried again at once; what ended leaves no note', async () => {
  const tenant = await bench.tenant('active');
  await bench.run(async (run) => {
    const { importId, repositoryId } = await hanging(run, tenant);
    await kill(repositoryId);
    await attempts.giveBackLost();
    await untilRead(run, repositoryId, 2);
    await untilImport(tenant, importId, 'completed');
    expect(await untilNotes(repositoryId, 0)).toEqual([]);
    await run.record('worker-lost', importRepositoryWorkflowId(repositoryId));
  }, integrationGoesOn(tenant));
});

test('what a living worker has in hand stays with it, as does that of another machine; a note cut off says nothing', async () => {
  const tenant = await bench.tenant('active');
  await bench.run(async (run) => {
    const { importId, repositoryId } = await hanging(run, tenant);
    const [elsewhere, old, cut] = ['0123456789ab-1-1.other', '0123456789ab-1-1.old', `${deadOwner()}.cut`];
    for (const name of [elsewhere, old]) await writeFile(pathOf(name), '{}');
    const twoDaysAgo = new Date(Date.now() - 2 * 24 * 60 * 60_000);
    await utimes(pathOf(old), twoDaysAgo, twoDaysAgo);
    await writeFile(pathOf(cut), '{"taskToken":"ab');
    await attempts.giveBackLost();
    expect(await notesOf(repositoryId)).toHaveLength(1);
    const left = await readdir(join(folder, 'attempts'));
    expect(left).toContain(elsewhere);
    for (const name of [old, cut]) expect(left).not.toContain(name);
    expect(readsOf(run, repositoryId)).toBe(1);
    // Nothing was told to Temporal that it could not take back: the attempt can still be stopped.
    await tellImport(run, importId, messages.cancelImport);
    await untilImport(tenant, importId, 'cancelled');
  }, integrationGoesOn(tenant));
});

test('the note of an attempt goes where its workflow has ended meanwhile', async () => {
  const tenant = await bench.tenant('active');
  await bench.run(async (run) => {
    const { importId, repositoryId } = await hanging(run, tenant);
    await kill(repositoryId);
    await repositoryRun(run, repositoryId).terminate('ended by an operator');
    await attempts.giveBackLost();
    expect(await notesOf(repositoryId)).toEqual([]);
    await tellImport(run, importId, messages.cancelImport);
  }, integrationGoesOn(tenant));
});

test('an import that was cancelled when its worker died is cancelled, not failed', async () => {
  const tenant = await bench.tenant('active');
  await bench.run(async (run) => {
    let end: (result: { done: boolean }) => void = () => {};
    const silent = new Promise<{ done: boolean }>((resolve) => (end = resolve));
    const { importId, repositoryId } = await hanging(run, tenant, silent);
    await kill(repositoryId);
    const handle = repositoryRun(run, repositoryId);
    await handle.signal(messages.stopImport, { importId });
    await waitFor({
      what: 'the attempt is to be stopped',
      read: async () => (await handle.fetchHistory()).events ?? [],
      until: (events) => events.some((event) => event.activityTaskCancelRequestedEventAttributes != null),
    });
    await attempts.giveBackLost();
    await handle.result();
    end({ done: true });
    expect(await tenant.repositoryRows(importId)).toMatchObject([{ state: 'cancelled', error: null }]);
    await untilImport(tenant, importId, 'cancelled');
  }, integrationGoesOn(tenant));
});
