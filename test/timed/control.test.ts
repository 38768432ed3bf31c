import { afterAll, beforeAll, expect, test } from 'vitest';
import { acmeWorld } from '../support/acmeWorld.ts';
import { activeIntegration, expectStatus, importEnded, listAll, startImport } from '../support/connect.ts';
import { expectExact } from '../support/expectExact.ts';
import { storedSoFar } from '../support/importRows.ts';
import { refetchedPages } from '../support/journalPages.ts';
import { createStack, type Stack } from '../support/stack.ts';
import { pendingActivities } from '../support/stackRuns.ts';
import { waitFor } from '../support/waitFor.ts';

const SLUGS = ['one', 'two', 'three'];
const WORLD = acmeWorld(SLUGS.map((slug) => ({ slug, pullRequests: 120, commits: 150, tickets: 15 })));

let stack: Stack;
let integrationId: string;
beforeAll(async () => {
  stack = await createStack({ simulator: { era: 'guide', world: WORLD } });
  integrationId = await activeIntegration(stack);
});
afterAll(() => stack?.close());

const journalEnd = (): number => stack.simulator.journal.since(0).at(-1)?.sequence ?? 0;
const tell = async (importId: string, what: string, body?: object) =>
  expectStatus(await stack.call('POST', `/v1/imports/${importId}/${what}`, body), 202);
const untilImport = (importId: string, state: string) =>
  waitFor({
    what: `the import is ${state}`,
    read: async () => (await stack.call('GET', `/v1/imports/${importId}`)).body,
    until: (body) => body.state === state,
    timeoutMs: 30_000,
  });

/** Each chunk hears of a pause with its next heartbeat. */
const untilNothingInHand = () =>
  waitFor({
    what: 'no activity is left in hand',
    read: () => pendingActivities(stack),
    until: (pending) => pending.length === 0,
    timeoutMs: 5_000,
  });

const CHUNK = /"activity_type":"(?:importSmall|importGit|importChunk|linkCommits)"/;

/** Likewise of an end, by what the present worker says: Temporal lists nothing for a run that has ended. */
const untilWorkerHeard = () =>
  waitFor({
    what: 'the worker has stopped what it had in hand',
    read: () => {
      const own = `worker-${String(stack.workers.length)}: `;
      const lines = stack
        .logs()
        .split('\n')
        .filter((line) => line.startsWith(own) && CHUNK.test(line));
      const count = (what: string): number =>
        lines.filter((line) => line.includes(`"message":"Activity ${what}`)).length;
      return { began: count('started'), ended: count('completed') + count('failed') };
    },
    until: ({ began, ended }) => began > 0 && began === ended,
    timeoutMs: 5_000,
  });

/** Begins an import of everything, slowed down, and gives it back once some of each kind is stored. */
async function midImport(): Promise<string> {
  stack.simulator.faults.set({
    rules: [{ match: { path: '/pullrequests' }, fault: { kind: 'delay', ms: 200 } }],
  });
  const importId = await startImport(stack, integrationId, { all: true, mode: 'full' });
  const before = journalEnd();
  await waitFor({
    what: 'pages of pull requests have been read',
    read: () =>
      stack.simulator.journal.since(before).filter(({ path }) => path.includes('/pullrequests')).length,
    until: (count) => count >= 6,
    timeoutMs: 60_000,
    intervalMs: 20,
  });
  return importId;
}

/** Gives what is asked for from now on; a request that was sent before arrives within a second. */
function requestsSince(sequence: number): () => string[] {
  const fromMs = Date.now() + 1_000;
  return () =>
    stack.simulator.journal
      .since(sequence)
      .filter(({ time_ms: at }) => at > fromMs)
      .map(({ path }) => path);
}

test('paused, it asks for nothing, whoever dies meanwhile; resumed, it goes on from where it stood', async () => {
  const began = journalEnd();
  const importId = await midImport();
  await tell(importId, 'pause');
  expect((await untilImport(importId, 'paused')).waiting.reason).toBe('A person paused the import');
  await waitFor({
    what: 'every repository has come to rest',
    read: () => listAll(stack, `/v1/imports/${importId}/repositories`),
    until: (repositories) => repositories.every(({ state }) => state === 'paused'),
    timeoutMs: 30_000,
  });
  await untilNothingInHand();
  const paused = journalEnd();
  const askedSince = requestsSince(paused);
  const { records } = await storedSoFar(stack, importId);
  // The time that a worker and an api take to start is time in which a request would be seen.
  await stack.workers[0]?.kill();
  await stack.startWorker();
  await stack.restartApi('kill');
  await tell(importId, 'pause');
  expect(askedSince()).toEqual([]);
  expect((await storedSoFar(stack, importId)).records).toBe(records);

  await tell(importId, 'resume');
  stack.simulator.faults.clear();
  expect((await importEnded(stack, importId)).state).toBe('completed');
  await expectExact(stack);
  // A page in hand when the pause came, for each of the three repositories' streams in flight.
  const again = refetchedPages(stack.simulator.journal.since(began), [paused]);
  expect(again.filter(({ cut }) => cut === 1).length).toBeLessThanOrEqual(2 * SLUGS.length);
});

test('cancelled, it ends and asks for nothing more; the next import brings what is missing', async () => {
  const importId = await midImport();
  await tell(importId, 'cancel');
  await untilImport(importId, 'cancelled');
  await untilWorkerHeard();
  const askedSince = requestsSince(journalEnd());
  // The time that an api takes to start is time in which a request would be seen.
  await stack.restartApi('stop');
  expect(expectStatus(await stack.call('POST', `/v1/imports/${importId}/resume`), 409).body.type).toContain(
    'import_ended',
  );
  expect(askedSince()).toEqual([]);
  stack.simulator.faults.clear();

  const next = await startImport(stack, integrationId);
  expect((await importEnded(stack, next)).state).toBe('completed');
  await expectExact(stack);
});

test('what failed is tried again in the same import, and nothing else is asked for', async () => {
  const broken = { type: 'error', error: { message: 'You may not' } };
  stack.simulator.faults.set({
    rules: [
      {
        match: { path: '/acme/two/pullrequests' },
        fault: {
          kind: 'status',
          status: 403,
          content_type: 'application/json',
          body: JSON.stringify(broken),
        },
      },
    ],
  });
  const importId = await startImport(stack, integrationId, { all: true, mode: 'full' });
  expect(await importEnded(stack, importId)).toMatchObject({ state: 'completed_with_failures' });
  stack.simulator.faults.clear();
  const ended = journalEnd();
  await tell(importId, 'retry-failed', {});
  expect((await importEnded(stack, importId)).state).toBe('completed');
  const asked = stack.simulator.journal
    .since(ended)
    .filter(({ path }) => path.includes('/repositories/acme/'));
  expect(asked.length).toBeGreaterThan(0);
  expect(
    asked.filter(({ path }) => !path.includes('/repositories/acme/two')).map(({ path }) => path),
  ).toEqual([]);
  await expectExact(stack);
});
