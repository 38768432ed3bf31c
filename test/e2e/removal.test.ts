import postgres from 'postgres';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { activeIntegration, listAll, newIntegration, startImport } from '../support/connect.ts';
import { rowsLeft } from '../support/importedRows.ts';
import { storedSoFar } from '../support/importRows.ts';
import { freeze, thaw } from '../support/processes.ts';
import { createStack, type Stack } from '../support/stack.ts';
import { createTcpProxy, type TcpProxy } from '../support/tcpProxy.ts';
import { waitFor } from '../support/waitFor.ts';

const PLACE = { workspace: 'acme', project: 'ENG' };
const WORLD = {
  workspaces: [{ slug: 'acme', name: 'Acme', projects: [{ key: 'ENG', name: 'Engineering' }] }],
  repositories: [{ ...PLACE, slug: 'wide', pullRequests: 350, commits: 40, tickets: 20 }],
};
const NAME = 'Acme & Co';

let stack: Stack;
let sql: postgres.Sql;
let temporal: TcpProxy;
beforeAll(async () => {
  temporal = await createTcpProxy(inject('servers').temporalAddress);
  stack = await createStack({ simulator: { era: 'guide', world: WORLD }, workers: 0 });
  await stack.startWorker({ environment: { TEMPORAL_ADDRESS: temporal.address } });
  sql = postgres(stack.database.superuserUrl, { max: 2, onnotice: () => {} });
});
afterAll(async () => {
  await Promise.all((stack?.workers ?? []).map((worker) => worker.kill()));
  await sql?.end({ timeout: 1 });
  await stack?.close();
  await temporal?.close();
});

/** Waits for a transaction of a worker that stands before a row which somebody else holds. */
const untilBlocked = () =>
  waitFor({
    what: 'a worker waits in the middle of the rows',
    read: () => sql`select from pg_stat_activity
      where application_name = 'bucket-brigade-worker' and wait_event_type = 'Lock' and query like '%doomed%'`,
    until: (rows) => rows.length > 0,
    timeoutMs: 60_000,
  });

/** The webhooks that Bitbucket has. */
const hooksThere = async () => {
  const { hooks } = (await (await fetch(`${stack.simulator.url}/_simulator/hooks`)).json()) as {
    hooks: unknown[];
  };
  return hooks;
};

test('deleted in the middle of an import: a killed worker stops no removal, a frozen one writes nothing behind it', async () => {
  const id = await activeIntegration(stack, { name: NAME });
  const at = `/v1/integrations/${id}`;
  const [repository] = await listAll(stack, `${at}/repositories`);
  expect((await stack.call('PUT', `${at}/webhooks`, {})).status).toBe(202);
  await waitFor({ what: 'a webhook is registered', read: hooksThere, until: (hooks) => hooks.length > 0 });
  stack.simulator.faults.set({ rules: [{ match: { path: '/2.0/' }, fault: { kind: 'delay', ms: 300 } }] });
  const importId = await startImport(stack, id);
  await waitFor({
    what: 'the import is in the middle of the pull requests',
    read: async () => (await storedSoFar(stack, importId)).records,
    until: (stored) => stored > 100,
    timeoutMs: 60_000,
  });
  const [frozen] = stack.workers;
  freeze(frozen!);
  // Its connections end as those of a machine that hangs do; else Temporal hands it one attempt after the other.
  temporal.cut();
  const second = await stack.startWorker();

  const holder = await sql.reserve();
  await holder`begin`;
  await holder`select from pull_requests where repository_id = ${repository.id} order by number limit 1 for update`;
  expect((await stack.call('DELETE', at)).body).toMatchObject({ code: 'confirm_missing' });
  // A task that was on its way to the frozen worker comes again; who is told to come back asks again.
  const asked = await waitFor({
    what: 'the removal is accepted',
    read: () => stack.call('DELETE', `${at}?confirm=${encodeURIComponent(NAME)}`),
    until: ({ status }) => status !== 503,
    timeoutMs: 60_000,
  });
  expect([asked.status, asked.headers.get('location'), asked.body.state]).toEqual([202, at, 'disconnecting']);
  await untilBlocked();
  const { removal } = (await stack.call('GET', at)).body;
  expect(removal.step).toBe('purging');
  expect(removal.rows_left).toBeGreaterThan(100);
  await second.kill();
  await stack.startWorker();
  await holder`rollback`;
  holder.release();
  await waitFor({
    what: 'the integration is gone',
    read: async () => (await stack.call('GET', at)).status,
    until: (status) => status === 404,
    timeoutMs: 60_000,
  });
  expect(await rowsLeft(sql, stack.organizationId)).toEqual({});
  expect(await hooksThere()).toEqual([]);

  const before = stack.logs().length;
  thaw(frozen!);
  const words = await waitFor({
    what: 'the late worker gives its page up',
    read: () => /worker-1: .*importChunk.*/.exec(stack.logs().slice(before))?.[0],
    until: (line) => line !== undefined,
    timeoutMs: 30_000,
  });
  expect(words).toMatch(/Another attempt reads|is being removed|cancelled/);
  expect(await rowsLeft(sql, stack.organizationId)).toEqual({});
  for (const path of [
    at,
    `${at}/repositories`,
    `/v1/imports/${importId}`,
    `/v1/repositories/${repository.id}`,
  ]) {
    expect((await stack.call('GET', path)).status, path).toBe(404);
  }
  stack.simulator.faults.clear();
  expect(await activeIntegration(stack, { name: NAME })).not.toBe(id);
  expect(await newIntegration(stack)).toBeDefined();
});
