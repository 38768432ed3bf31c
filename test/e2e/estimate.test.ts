import { afterAll, beforeAll, expect, test } from 'vitest';
import type { WorldSpec } from '../../simulator/model/worldSpec.ts';
import { type AcmeRepository, acmeWorld } from '../support/acmeWorld.ts';
import { activeIntegration, expectStatus, importEnded, listAll, startImport } from '../support/connect.ts';
import { expectExact } from '../support/expectExact.ts';
import { type Answer, createStack, type Stack } from '../support/stack.ts';
import { waitFor } from '../support/waitFor.ts';

type Body = Answer['body'];

/**
 * Of the account: an hour of two seconds, of which imports get all but the reserve, so that it decides the end. The import
 * takes some ten of them, so that one more or less is less than what its end may be wrong by.
 */
const [LIMIT, WINDOW_SECONDS] = [21, 2];
const ALLOWED = LIMIT - 1;

/** How far requests and end may be from what the import then takes. */
const WITHIN = 0.15;

/** A heavy tail of comments that the feed does not always show, ordinary discussions, tickets, small ones, an empty one. */
function world(): WorldSpec {
  const repository = (slug: string, spec: Partial<AcmeRepository>): AcmeRepository => ({
    slug,
    pullRequests: 0,
    commits: 10,
    trackerDisabled: true,
    ...spec,
  });
  return acmeWorld([
    repository('heavy', { pullRequests: 500, commits: 600, activity: { shortFeedEvery: 200 } }),
    repository('ordinary', { pullRequests: 200, commits: 300 }),
    repository('ticketed', { pullRequests: 60, tickets: 15, trackerDisabled: false }),
    repository('empty', { commits: 0, trackerDisabled: false }),
    ...Array.from({ length: 8 }, (_, index) => repository(`small-${index}`, { pullRequests: 3 * index })),
  ]);
}

let stack: Stack;
let integrationId: string;
beforeAll(async () => {
  const limits = { limit: LIMIT, windowMs: WINDOW_SECONDS * 1_000 };
  stack = await createStack({ simulator: { era: 'guide', world: world(), ...limits } });
  integrationId = await activeIntegration(stack, { credential: 'api_token.service' });
});
afterAll(() => stack?.close());

async function estimate(body: object): Promise<Body> {
  const path = `/v1/integrations/${integrationId}/imports`;
  const { headers } = expectStatus(await stack.call('POST', path, { ...body, dry_run: true }), 202);
  return waitFor({
    what: 'the estimate has ended',
    read: async () => (await stack.call('GET', String(headers.get('location')))).body,
    until: ({ state }) => state === 'done' || state === 'failed',
    timeoutMs: 60_000,
  });
}

const seconds = (from: string, to: string): number => (Date.parse(to) - Date.parse(from)) / 1_000;

/**
 * Milliseconds since 1970 when the last of so many requests can be made that all are wanted from `fromMs` on: no window holds
 * more than is allowed, and what was asked before, as the host heard it, counts.
 */
function lastAllowed({ before, fromMs, requests }: { before: number[]; fromMs: number; requests: number }) {
  const times = [...before];
  for (let n = 0; n < requests; n += 1) {
    const leaves = times.at(-ALLOWED);
    times.push(leaves === undefined ? fromMs : Math.max(fromMs, leaves + WINDOW_SECONDS * 1_000));
  }
  return times.at(-1) ?? fromMs;
}

function expectNear(what: string, estimated: number, actual: number): void {
  console.log(`${what}: ${estimated.toFixed(1)} estimated, ${actual.toFixed(1)} in fact`);
  expect(Math.abs(estimated - actual), `${what}: ${estimated} for ${actual}`).toBeLessThanOrEqual(
    WITHIN * actual,
  );
}

test('requests, rows and end are as the import then has them', async () => {
  const journal = () => stack.simulator.journal.since(0).filter(({ group }) => group === 'repository');
  const unasked = journal().length;
  const told = await estimate({ all: true });
  expect(told.error).toBeNull();
  const before = journal().map(({ time_ms: ms }) => ms);
  expect(told.cost.requests).toBe(before.length - unasked);
  expect(told.allowance).toMatchObject({
    limit: LIMIT,
    reserve: LIMIT - ALLOWED,
    window_seconds: WINDOW_SECONDS,
    shared_by: 1,
  });
  for (const one of told.sample) expect(one.asked, one.full_name).toBeLessThanOrEqual(3);
  expect((await stack.call('GET', `/v1/integrations/${integrationId}/imports`)).body.data).toEqual([]);

  const importId = await startImport(stack, integrationId);
  const ended = await importEnded(stack, importId);
  // Entries that no list shows are there too.
  await expectExact(stack);
  const repositories = await listAll(stack, `/v1/imports/${importId}/repositories?limit=200`);
  const made = new Map<string, number>(
    repositories.map(({ repository_id: id, streams }) => [
      id,
      streams.reduce((total: number, { requests }: Body) => total + requests, 0),
    ]),
  );
  for (const { full_name: name, repository_id: id, requests } of told.sample) {
    const actual = made.get(id)!;
    if (actual > 20) expectNear(`requests of ${name}`, requests.expected, actual);
    else expect(Math.abs(requests.expected - actual), `${name}: ${actual}`).toBeLessThanOrEqual(1);
  }
  expectNear('requests', told.requests.expected, ended.requests);
  for (const { stream, records } of told.streams) {
    const { stored } = ended.streams.find((one: Body) => one.stream === stream);
    const range = `${stream}: ${stored} for ${JSON.stringify(records)}`;
    expect(stored, range).toBeGreaterThanOrEqual(records.low);
    expect(stored, range).toBeLessThanOrEqual(records.high);
  }
  // The end is held against what the allowance makes of the requests that were made: the clock of the import itself
  // would measure how busy this machine is.
  const windows = (ended.requests - ALLOWED) / ALLOWED;
  const [least, most] = [windows * WINDOW_SECONDS, (windows + 1) * WINDOW_SECONDS];
  const estimated = seconds(told.finished_at, told.ends.expected);
  console.log(
    `seconds: ${estimated.toFixed(1)} estimated, ${least.toFixed(1)} to ${most.toFixed(1)} by the allowance, ` +
      `${seconds(ended.created_at, ended.finished_at).toFixed(1)} on this machine`,
  );
  expect(estimated).toBeGreaterThanOrEqual(least * (1 - WITHIN));
  expect(estimated).toBeLessThanOrEqual(most * (1 + WITHIN));
  const fromMs = Date.parse(told.finished_at);
  const allowedMs = lastAllowed({ before, fromMs, requests: ended.requests }) - fromMs;
  expectNear('seconds as the allowance lets them', estimated, allowedMs / 1_000);
});

test('of what is imported only the changes are estimated', async () => {
  const told = await estimate({ all: true });
  const of = (name: string) => told.sample.find((one: Body) => one.full_name === name)?.requests.expected;
  // Found empty by the import before: one look at the list of pull requests, and one at the tracker.
  expect([of('acme/empty'), of('acme/small-0')]).toEqual([2, 1]);
  const importId = await startImport(stack, integrationId);
  const ended = await importEnded(stack, importId);
  expect(Math.abs(told.requests.expected - ended.requests), `for ${ended.requests}`).toBeLessThanOrEqual(
    Math.max(3, WITHIN * ended.requests),
  );
});

test.each([403, 404, 410])(
  'where the feed answers %i, the pull requests are counted one by one, as the import would ask them',
  async (status) => {
    const all = await listAll(stack, `/v1/integrations/${integrationId}/repositories`);
    const { id } = all.find(({ full_name: name }) => name === 'acme/ordinary');
    const match = { path: '/pullrequests/activity' };
    stack.simulator.faults.set({ seed: 1, rules: [{ match, fault: { kind: 'status', status } }] });
    const told = await estimate({ repositories: [id], mode: 'full' });
    stack.simulator.faults.clear();
    expect(told).toMatchObject({ state: 'done', error: null, sample: [{ finding: null }] });
    expect(told.requests.expected).toBeGreaterThan(200);
  },
);

test('what it cannot see is a finding; nothing to see at all, or a refused credential, ends it', async () => {
  const { simulator } = stack;
  const gone = 'acme/small-3';
  const all = await listAll(stack, `/v1/integrations/${integrationId}/repositories`);
  await simulator.mutate({ kind: 'repository.delete', repository: gone });
  const partly = await estimate({ all: true, mode: 'full' });
  expect(partly).toMatchObject({ state: 'done', error: null, repositories: { sampled: all.length } });
  const findings = partly.sample.filter(({ finding }: Body) => finding !== null);
  expect(findings.map((one: Body) => [one.full_name, one.finding.code, one.requests])).toEqual([
    [gone, 'repository_gone', null],
  ]);
  const { id } = all.find(({ full_name: name }) => name === gone);
  const nothing = await estimate({ repositories: [id] });
  expect(nothing).toMatchObject({ state: 'failed', requests: null, error: { code: 'repository_gone' } });
  await simulator.mutate({ kind: 'credential.revoke', name: 'api_token.service' });
  const refused = await estimate({ all: true });
  expect(refused).toMatchObject({ state: 'failed', ends: null, error: { code: 'invalid_credentials' } });
});
