import { randomUUID } from 'node:crypto';
import { Client, Connection } from '@temporalio/client';
import { afterAll, beforeAll, expect, inject, test, vi } from 'vitest';
import { createOperator, type Operator } from '../../../scripts/apiKeys/operator.ts';
import { estimateWorkflowId } from '../../../workflows/ids.ts';
import { below, pick } from '../../support/badAnswers.ts';
import { useDatabaseBench } from '../../support/databaseBench.ts';
import type { TestTenant } from '../../support/integrationRows.ts';
import { createLocalApi } from '../../support/localApi.ts';
import { seededRandom } from '../../support/seededRandom.ts';
import { overSeeds, seeds, seedsTimeoutMs } from '../../support/seeds.ts';
import { waitFor } from '../../support/waitFor.ts';

/**
 * One Idempotency-Key, sent fifty times at once to two apis, with the same request and with others (reliability.md, F50):
 * the one that comes first is carried out, once, also where its api died before it kept the answer and all come again.
 */
const AT_ONCE = 50;
const CI_SEEDS = 6;

interface Request {
  path: string;
  body: string;
}

interface Told {
  request: Request;
  status: number;
  replayed: boolean;
  /** of what it made */
  id: unknown;
  /** of a refusal */
  code: unknown;
}

vi.setConfig({ testTimeout: seedsTimeoutMs() });

const bench = useDatabaseBench({ role: 'api' });
const taskQueue = `test-${randomUUID()}`;
let apis: ReturnType<typeof createLocalApi>[];
let operator: Operator;
let connection: Connection;
let client: Client;
beforeAll(async () => {
  const { temporalAddress: address, temporalNamespace: namespace } = inject('servers');
  connection = await Connection.connect({ address });
  client = new Client({ connection, namespace });
  operator = createOperator(bench.testDatabase.ownerUrl);
  // Nobody listens on this queue: a run that is started stays as it is.
  // A hundred requests at once are no outage, however slow the machine.
  const patient = { commandTimeoutMs: 45_000, databaseTimeoutMs: 45_000 };
  const options = { databaseUrl: bench.testDatabase.apiUrl, taskQueue, ...patient };
  apis = [createLocalApi(options), createLocalApi(options)];
  for (const api of apis) await api.untilReady();
});
afterAll(async () => {
  for (const id of new Set(await runs())) await client.workflow.getHandle(id).terminate();
  await connection.close();
  for (const api of apis) await api.close();
  await operator.end();
});

/** The id of each run that was started here. */
async function runs(): Promise<string[]> {
  const found: string[] = [];
  for await (const { workflowId } of client.workflow.list({ query: `TaskQueue = '${taskQueue}'` }))
    found.push(workflowId);
  return found;
}

/** Begin an integration, or estimate an import; each in two forms, which are different requests. */
function requestsOf({ integrationId }: TestTenant): Request[] {
  const imports = `/v1/integrations/${integrationId}/imports`;
  return [
    { path: '/v1/integrations', body: '{}' },
    { path: '/v1/integrations', body: '{ }' },
    { path: imports, body: '{"all":true,"dry_run":true}' },
    { path: imports, body: '{"all":true,"dry_run":true,"mode":"full"}' },
  ];
}

async function send(request: Request, headers: Record<string, string>, api: number): Promise<Told> {
  const { path, body } = request;
  const answer = await apis[api]!.send(path, { method: 'POST', headers, body });
  const { id, code } = (await answer.json()) as { id?: unknown; code?: unknown };
  const replayed = answer.headers.get('Idempotency-Replayed') === 'true';
  return { request, status: answer.status, replayed, id, code };
}

const isDone = ({ status }: Told): boolean => status >= 200 && status < 300;

/** That one was carried out, and what became of the others by it. */
function expectOne(told: readonly Told[], run: string): Told {
  const [first, ...more] = told.filter((one) => isDone(one) && !one.replayed);
  expect(first, `${run}: ${JSON.stringify(told)}`).toBeDefined();
  expect(more, run).toEqual([]);
  for (const one of told) {
    if (one.request !== first!.request)
      expect([one.status, one.code], run).toEqual([422, 'idempotency_key_reused']);
    else if (isDone(one)) expect([one.status, one.id], run).toEqual([first!.status, first!.id]);
    else expect([one.status, one.code], run).toEqual([409, 'request_under_way']);
  }
  return first!;
}

async function rowsOf({ organizationId, integrationId }: TestTenant): Promise<unknown[]> {
  const rows = await bench.sql<{ id: string }[]>`
    select id from integrations where organization_id = ${organizationId} and id <> ${integrationId}
    union all select id from import_estimates where organization_id = ${organizationId}`;
  return rows.map(({ id }) => id);
}

test('the same key at once, with one request and with others: one thing is made, by one run (F50)', async () => {
  const started: string[] = [];
  await overSeeds(seeds(CI_SEEDS), async (seed) => {
    const run = `seed ${String(seed)}`;
    const random = seededRandom(seed);
    const tenant = await bench.tenant('active');
    await tenant.repositories(1);
    const { key } = await operator.createKey({ organization: tenant.organizationId, role: 'manager' });
    const headers = {
      Authorization: `Bearer ${key}`,
      'Content-Type': 'application/json',
      'Idempotency-Key': randomUUID(),
    };
    const together = (requestOf: () => Request): Promise<Told[]> =>
      Promise.all(Array.from({ length: AT_ONCE }, () => send(requestOf(), headers, below(random, 2))));

    const all = requestsOf(tenant);
    const favourite = pick(random, all);
    const first = expectOne(await together(() => (random() < 0.7 ? favourite : pick(random, all))), run);
    if (random() < 0.5) {
      // What an api that died behind the work leaves, once its claim has lapsed.
      await bench.sql`
        update idempotency_keys set status = null, answer = null, created_at = created_at - interval '2 minutes'
        where key = ${headers['Idempotency-Key']}`;
      const again = expectOne(await together(() => first.request), `${run}, again`);
      expect([again.status, again.id], run).toEqual([first.status, first.id]);
    }
    expect(await send(first.request, headers, below(random, 2)), run).toEqual({ ...first, replayed: true });
    expect(await rowsOf(tenant), run).toEqual([first.id]);
    if (first.request.path !== '/v1/integrations') started.push(estimateWorkflowId(String(first.id)));
  });
  const listed = await waitFor({
    what: 'Temporal lists the runs',
    read: runs,
    until: (found) => found.length >= started.length,
    timeoutMs: 60_000,
  });
  expect(listed.toSorted()).toEqual(started.toSorted());
});
