import { sql } from 'drizzle-orm';
import { afterEach, expect, test } from 'vitest';
import { acmeWorld } from '../support/acmeWorld.ts';
import {
  activeIntegration,
  importEnded,
  listAll,
  startImport,
  submitCredential,
} from '../support/connect.ts';
import { expectExact } from '../support/expectExact.ts';
import { seededRandom } from '../support/seededRandom.ts';
import { createStack, type Stack } from '../support/stack.ts';
import { expectReplays } from '../support/stackRuns.ts';
import { waitFor } from '../support/waitFor.ts';

const repository = (slug: string, pullRequests: number) => ({ slug, pullRequests, commits: 20 });
const WORLD = acmeWorld([repository('first', 250), repository('second', 150), repository('third', 100)]);

let stack: Stack;
afterEach(() => stack?.close());

/** Waits until every repository that has not ended waits for the allowance. */
const limited = (importId: string) =>
  waitFor({
    what: 'the import waits for the allowance',
    read: async () => (await stack.call('GET', `/v1/imports/${importId}`)).body,
    until: ({ waiting }) => waiting?.reason === 'Bitbucket allowance',
    timeoutMs: 60_000,
  });
const requestsOf = async (importId: string): Promise<number> =>
  (await stack.call('GET', `/v1/imports/${importId}`)).body.requests;
/** What the worker serves of a metric, over all that has these labels. */
async function metric(name: string, labels: Record<string, string> = {}): Promise<number> {
  const lines = (await stack.workerMetrics()).split('\n').filter((line) => line.startsWith(`${name}{`));
  const wanted = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
  const found = lines.filter((line) => wanted.every((label) => line.includes(label)));
  if (found.length === 0) throw new Error(`${name} is not served with ${wanted.join()}: ${lines.join('\n')}`);
  return found.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
}

const labels = { limit_group: 'repository_data', goes_first: 'false' };
const waitedSeconds = () => metric('bitbucket_allowance_waited_seconds_total', labels);

/** How long, added up, the requests of an import have waited for the allowance of this account that wait for it now. */
async function waitingSeconds(importId: string, account: string): Promise<number> {
  const [row] = await stack.rows.statement((tx) =>
    tx.execute<{ seconds: number }>(sql`
      select coalesce(sum(extract(epoch from clock_timestamp() - since)), 0)::float8 as seconds from request_waits
      where limit_group = 'repository_data' and consumer = ${importId} and account_key = ${account}`),
  );
  return row?.seconds ?? 0;
}

/** The worker's metrics tell what the host saw of it. */
async function expectMetrics(): Promise<void> {
  const sent = stack.simulator.journal.since(0).filter(({ path }) => path.startsWith('/2.0/'));
  const ok = sent.filter(({ status }) => status === 200);
  const lists = ok.filter(({ path }) => /^\/2\.0\/repositories\/acme\/\w+\/pullrequests\?/.test(path));
  expect(lists.length).toBeGreaterThan(5);
  expect(ok.length).toBeGreaterThan(lists.length);
  expect(await metric('bitbucket_requests_total')).toBe(sent.length);
  expect(await metric('bitbucket_requests_total', { outcome: 'ok' })).toBe(ok.length);
  const endpoint = '/repositories/{}/{}/pullrequests';
  expect(await metric('bitbucket_requests_total', { endpoint, outcome: 'ok' })).toBe(lists.length);
}

const hours = (iso: string) => (Date.parse(iso) - Date.now()) / 3_600_000;

test('an import whose allowance is used up waits on a timer, and goes on early when another account signs or the limit is raised', async () => {
  const environment = { BITBUCKET_LIMITS: 'repository_data=14' };
  stack = await createStack({ simulator: { era: 'guide', world: WORLD }, environment });
  const integrationId = await activeIntegration(stack, { credential: 'api_token.service' });
  const importId = await startImport(stack, integrationId);
  const shown = await limited(importId);
  expect(hours(shown.waiting.until)).toBeGreaterThan(0.9);
  expect(hours(shown.waiting.until)).toBeLessThan(1.1);
  for (const one of await listAll(stack, `/v1/imports/${importId}/repositories`)) {
    if (one.state !== 'completed') expect(one).toMatchObject({ state: 'rate_limited', error: null });
  }

  const before = (await stack.call('GET', `/v1/integrations/${integrationId}`)).body.connected_account;
  const window = { account: before.uuid, limit_group: 'repository_data' };
  const used = stack.simulator.journal
    .since(0)
    .filter(({ path }) => path.startsWith('/2.0/repositories')).length;
  // One of the 14 is the reserve.
  expect(await metric('bitbucket_allowance_remaining', window)).toBe(13 - used);
  expect(await metric('bitbucket_allowance_used_share', window)).toBeCloseTo(used / 13);
  const check = await submitCredential(stack, integrationId, 'api_token.admin');
  expect(check.verdict).not.toBe('failed');
  expect(check.message.text).toContain(`Until now it was another account: ${before.name}.`);
  const { body: integration } = await stack.call('GET', `/v1/integrations/${integrationId}`);
  expect(integration.previous_account).toMatchObject(before);
  expect(integration.connected_account.uuid).not.toBe(before.uuid);
  await waitFor({
    what: 'the import goes on with the allowance of the new account',
    read: () => requestsOf(importId),
    until: (requests) => requests > shown.requests + 5,
    timeoutMs: 60_000,
  });
  await limited(importId);
  const counted = await waitedSeconds();
  const waiting = await waitingSeconds(importId, integration.connected_account.uuid);
  expect(waiting).toBeGreaterThan(0);

  await stack.rows.statement((tx) => tx.execute(sql`update request_limits set stated_limit = 5000`));
  expect(await importEnded(stack, importId)).toMatchObject({ state: 'completed', waiting: null });
  await expectMetrics();
  expect((await waitedSeconds()) - counted).toBeGreaterThan(waiting);
  await expectExact(stack);
  await expectReplays(stack);
});

test('two workers, three imports of one account, one worker killed at random moments: Bitbucket never refuses', async () => {
  const random = seededRandom(7);
  const LIMIT = 30;
  stack = await createStack({
    simulator: { era: 'guide', world: WORLD, limit: LIMIT, windowMs: 8_000 },
    workers: 2,
  });
  const credentials = ['api_token.service', 'api_token.excess', 'api_token.expiring'];
  const integrations: string[] = [];
  for (const credential of credentials) {
    integrations.push(await activeIntegration(stack, { credential, name: credential }));
  }
  const imports = await Promise.all(integrations.map((id) => startImport(stack, id)));
  const state = { done: false };
  const ended = Promise.all(imports.map((id) => importEnded(stack, id, 200_000))).finally(
    () => (state.done = true),
  );
  const sent = () =>
    stack.simulator.journal.since(0).filter(({ path }) => path.startsWith('/2.0/repositories'));
  let kills = 0;
  while (!state.done && kills < 3) {
    const target = sent().length + 5 + Math.floor((random() * LIMIT) / 2);
    await waitFor({
      what: `${target} requests were sent, or the imports have ended`,
      read: () => sent().length,
      until: (requests) => requests >= target || state.done,
      timeoutMs: 60_000,
      intervalMs: 20,
    });
    if (state.done) break;
    await stack.workers.at(-1)?.kill();
    await stack.startWorker();
    kills += 1;
  }
  for (const body of await ended) expect(body.state).toBe('completed');
  expect(kills).toBeGreaterThan(1);
  const journal = sent();
  expect(journal.filter(({ status }) => status === 429)).toEqual([]);
  expect(journal.length).toBeGreaterThan(2 * LIMIT);
});
