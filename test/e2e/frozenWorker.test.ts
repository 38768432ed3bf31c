import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { acmeWorld } from '../support/acmeWorld.ts';
import { activeIntegration, importEnded, listAll, startImport } from '../support/connect.ts';
import { expectExact } from '../support/expectExact.ts';
import { storedSoFar } from '../support/importRows.ts';
import { freeze, thaw } from '../support/processes.ts';
import { createStack, type Stack } from '../support/stack.ts';
import { createTcpProxy, type TcpProxy } from '../support/tcpProxy.ts';
import { waitFor } from '../support/waitFor.ts';

const HEARTBEAT_MS = 10_000;
/** What the simulator takes for a page of the list, so that one can be caught on its way. */
const ANSWER_MS = 400;
const LISTED = /\/repositories\/acme\/wide\/pullrequests\?.*id%3E(\d+)/;

const WORLD = acmeWorld([{ slug: 'wide', pullRequests: 350, commits: 40, tickets: 20 }]);

let stack: Stack;
let temporal: TcpProxy;
let integrationId: string;
beforeAll(async () => {
  temporal = await createTcpProxy(inject('servers').temporalAddress);
  stack = await createStack({ simulator: { era: 'guide', world: WORLD }, workers: 0 });
  await stack.startWorker({ environment: { TEMPORAL_ADDRESS: temporal.address } });
  integrationId = await activeIntegration(stack);
});
afterAll(async () => {
  // One that is still frozen could not be asked to end.
  await Promise.all((stack?.workers ?? []).map((worker) => worker.kill()));
  await stack?.close();
  await temporal?.close();
});

async function importOf(slug: string): Promise<string> {
  const found = await listAll(stack, `/v1/integrations/${integrationId}/repositories`);
  const repository = found.find(({ full_name: name }) => name === `acme/${slug}`);
  return startImport(stack, integrationId, { repositories: [repository.id] });
}

/** Whether a worker stands in the middle of a transaction: Postgres would end that, and no late write could follow. */
async function inTransaction(): Promise<boolean> {
  const states = await waitFor({
    what: 'Postgres has done what was asked of it',
    read: async () => {
      const rows = await stack.rows.withoutTenant((tx) =>
        tx.execute<{ state: string }>(sql`
          select state from pg_stat_activity
          where datname = current_database() and application_name = 'bucket-brigade-worker'`),
      );
      return rows.map(({ state }) => state);
    },
    until: (all) => !all.includes('active'),
  });
  return states.includes('idle in transaction');
}

/** Checkpoints, counters (but for the requests: those of a late worker were made), and who wrote each pull request. */
async function written(): Promise<string[]> {
  const rows = await stack.rows.transaction(stack.organizationId, (tx) =>
    tx.execute<{ row: string }>(sql`
      select row(s.*)::text as row from streams s
      union all
      select row(i.stream, i.state, i.records_stored, i.records_expected, i.finished_at)::text from import_streams i
      union all select row(p.number, p.xmin)::text from pull_requests p`),
  );
  return rows.map(({ row }) => row).toSorted();
}

/** What a worker printed of activities since then. */
const wordsOf = (worker: number, since: number): string[] =>
  stack
    .logs()
    .split('\n')
    .slice(since)
    .filter((line) => line.startsWith(`worker-${worker}:`));

test('a worker that wakes up late with a page of earlier days writes nothing', async () => {
  const [first] = stack.workers;
  if (first === undefined) throw new Error('no worker');
  const { simulator } = stack;
  simulator.faults.set({
    rules: [{ match: { path: LISTED.source }, fault: { kind: 'delay', ms: ANSWER_MS } }],
  });
  const importId = await importOf('wide');
  /** Asked for a while ago and not answered yet: the page before it is stored by now. */
  const inHand = () =>
    simulator.journal
      .since(0)
      .findLast(
        ({ path, status, time_ms: at }) =>
          status === null && Number(LISTED.exec(path)?.[1]) >= 100 && Date.now() - at > ANSWER_MS / 2,
      );
  const asked = await waitFor({
    what: 'a page in the middle is being answered',
    async read() {
      const entry = inHand();
      if (entry === undefined) return undefined;
      // At once, before the simulator can answer.
      freeze(first);
      if (!(await inTransaction())) return entry;
      thaw(first);
      return undefined;
    },
    until: (entry) => entry !== undefined,
    timeoutMs: 60_000,
    intervalMs: 10,
  });
  const frozenAt = Date.now();
  // Its connections end as those of a machine that hangs do; else Temporal hands it one attempt after the other.
  temporal.cut();
  const page = asked?.page;
  await waitFor({ what: 'it is answered', read: () => asked?.status, until: (status) => status === 200 });
  const after = Number(LISTED.exec(asked?.path ?? '')?.[1]);
  for (let number = after + 1; number <= after + 50; number += 1) {
    await simulator.mutate({
      kind: 'pull_request.edit',
      repository: 'acme/wide',
      number,
      title: `changed while a worker slept: ${number}`,
    });
  }
  const { records } = await storedSoFar(stack, importId);
  await stack.startWorker();
  await waitFor({
    what: 'the other worker goes on',
    read: () => storedSoFar(stack, importId),
    until: (now) => now.records > records,
    timeoutMs: 60_000,
  });
  await waitFor({
    what: 'the other worker has read the page again, and two heartbeat timeouts are over',
    read: () =>
      simulator.journal.since(asked?.sequence ?? 0).some((one) => one.page === page && one.status === 200) &&
      Date.now() - frozenAt >= 2 * HEARTBEAT_MS,
    until: Boolean,
    timeoutMs: 60_000,
  });
  const ended = await importEnded(stack, importId);
  const before = await written();
  const since = stack.logs().split('\n').length;
  thaw(first);
  const last = await waitFor({
    what: 'the late worker gives its page up',
    read: () => wordsOf(1, since).filter((line) => /import(Chunk|Small)/.test(line)),
    until: (lines) => lines.length > 0,
  });
  expect(last[0]).toMatch(/"attempt":1,.*(Another attempt reads pull_requests|cancelled)/);
  expect(await first.stop()).toEqual({ code: 0, signal: null });
  expect(await written()).toEqual(before);
  await expectExact(stack);
  expect(ended.state).toBe('completed');
});
