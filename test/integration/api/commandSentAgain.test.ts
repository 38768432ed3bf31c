import { randomUUID } from 'node:crypto';
import type { Client } from '@temporalio/client';
import { afterAll, expect, test } from 'vitest';
import { createOperator } from '../../../scripts/apiKeys/operator.ts';
import type { TestTenant } from '../../support/integrationRows.ts';
import { createLocalApi, type LocalApiOptions } from '../../support/localApi.ts';
import { waitFor } from '../../support/waitFor.ts';
import { handleOf, integrationGoesOn, useWorkflowBench } from '../../support/workflowBench.ts';

const bench = useWorkflowBench();

const apis: ReturnType<typeof createLocalApi>[] = [];
afterAll(() => Promise.all(apis.map((api) => api.close())));

/** An api that waits half a second for a worker. */
function open(options: Partial<LocalApiOptions>) {
  const api = createLocalApi({
    databaseUrl: bench.testDatabase.apiUrl,
    commandTimeoutMs: 500,
    databaseTimeoutMs: 45_000,
    ...options,
  });
  apis.push(api);
  return api;
}

interface Answer {
  status: number;
  code: unknown;
}

type Api = ReturnType<typeof open>;

/** Sends one request of a tenant, always the same, by whichever api; with the key that it may carry. */
async function requestOf(
  { organizationId, integrationId }: TestTenant,
  method: string,
  what: string,
  body: object,
) {
  const operator = createOperator(bench.testDatabase.ownerUrl);
  const { key } = await operator.createKey({ organization: organizationId, role: 'manager' });
  await operator.end();
  const headers = { Authorization: `Bearer ${key}`, 'Content-Type': 'application/json' };
  async function send(api: Api, more: Record<string, string>, other = body): Promise<Answer> {
    const init = { method, headers: { ...headers, ...more }, body: JSON.stringify(other) };
    const answer = await api.send(`/v1/integrations/${integrationId}/${what}`, init);
    const { code } = (await answer.json()) as { code?: unknown };
    return { status: answer.status, code };
  }
  return { send, key: { 'Idempotency-Key': randomUUID() } };
}

const pauseOf = (tenant: TestTenant) => requestOf(tenant, 'POST', 'pause', {});
const submitOf = (tenant: TestTenant) =>
  requestOf(tenant, 'PUT', 'credential', {
    kind: 'api_token',
    email: 'a@example.com',
    token: 'a-token-of-some-length',
  });

/** How many commands the integration's run has taken, or carried out. */
async function commandsTaken(
  client: Client,
  tenant: TestTenant,
  attributes:
    | 'workflowExecutionUpdateAcceptedEventAttributes'
    | 'workflowExecutionUpdateCompletedEventAttributes' = 'workflowExecutionUpdateAcceptedEventAttributes',
): Promise<number> {
  const { events } = await handleOf(client, tenant).fetchHistory();
  return (events ?? []).filter((event) => (event[attributes] ?? null) !== null).length;
}

/** The next call of an activity lasts until it is let go. */
function hold(activity: string): () => void {
  let letGo = (): void => {};
  const held = new Promise<void>((resolve) => (letGo = resolve));
  bench.meanwhile(activity, { before: () => held });
  return () => letGo();
}

/** Lasts until it is let go; nobody else reads or writes integrations. */
async function lockIntegrations(): Promise<() => Promise<void>> {
  const session = await bench.sql.reserve();
  await session`begin`;
  await session`lock table integrations`;
  return async () => {
    await session`rollback`;
    session.release();
  };
}

const OVERDUE: Answer = { status: 503, code: 'worker_unavailable' };

test('a command that is sent again under its key joins the first, which still waits', async () => {
  const tenant = await bench.tenant('active');
  await bench.run(async ({ client, taskQueue }) => {
    const api = open({ taskQueue });
    await api.untilReady();
    const { send: pause, key } = await pauseOf(tenant);
    const letGo = hold('saveIntegration');
    expect(await pause(api, key)).toEqual(OVERDUE);
    expect(await pause(api, key)).toEqual(OVERDUE);
    // Temporal out of sight for a moment: this one began nothing, the first one did.
    const blind = open({ taskQueue, temporalAddress: '127.0.0.1:1' });
    expect(await pause(blind, key)).toEqual({ status: 503, code: 'unavailable' });
    expect(await pause(api, key, { another: 'request' })).toMatchObject({
      status: 422,
      code: 'idempotency_key_reused',
    });
    letGo();
    const done = (): Promise<Answer> => pause(api, key);
    await waitFor({ what: 'it is carried out', read: done, until: ({ status }) => status === 202 });
    expect(await commandsTaken(client, tenant)).toBe(1);
    // A request of its own is a command of its own.
    await pause(api, {});
    expect(await commandsTaken(client, tenant)).toBe(2);
  }, integrationGoesOn(tenant));
});

test('a command that was carried out, and whose answer failed behind it, is not carried out again', async () => {
  const tenant = await bench.tenant('active');
  await bench.run(async ({ client, taskQueue }) => {
    const api = open({ taskQueue, commandTimeoutMs: 45_000, databaseTimeoutMs: 500 });
    await api.untilReady();
    const { send: pause, key } = await pauseOf(tenant);
    let unlock = async (): Promise<void> => {};
    // The command is stored; then nobody can read the integration for the answer.
    bench.meanwhile('saveIntegration', { behind: async () => (unlock = await lockIntegrations()) });
    expect(await pause(api, key)).toEqual({ status: 503, code: 'unavailable' });
    await unlock();
    expect((await pause(api, key)).status).toBe(202);
    expect(await commandsTaken(client, tenant)).toBe(1);
  }, integrationGoesOn(tenant));
});

test('what a run that was ended had taken is told to the next one', async () => {
  const tenant = await bench.tenant('active');
  await bench.run(async ({ client, taskQueue }) => {
    const api = open({ taskQueue });
    await api.untilReady();
    const { send: pause, key } = await pauseOf(tenant);
    const letGo = hold('saveIntegration');
    expect(await pause(api, key)).toEqual(OVERDUE);
    letGo();
    const ended = handleOf(client, tenant);
    const { runId } = await ended.describe();
    await waitFor({
      what: 'it is carried out',
      read: () => commandsTaken(client, tenant, 'workflowExecutionUpdateCompletedEventAttributes'),
      until: (count) => count === 1,
    });
    await ended.terminate();
    const done = (): Promise<Answer> => pause(api, key);
    await waitFor({ what: 'it is answered', read: done, until: ({ status }) => status === 202 });
    const now = await handleOf(client, tenant).describe();
    expect([now.status.name, now.runId === runId]).toEqual(['RUNNING', false]);
  }, integrationGoesOn(tenant));
});

test('a credential that is sent again under its key is stored and checked once', async () => {
  const tenant = await bench.tenant('active');
  await bench.run(async ({ client, taskQueue }) => {
    const api = open({ taskQueue });
    await api.untilReady();
    const { send: submit, key } = await submitOf(tenant);
    const letGo = hold('checkOutcome');
    expect(await submit(api, key)).toEqual(OVERDUE);
    expect(await submit(api, key)).toEqual(OVERDUE);
    letGo();
    const done = (): Promise<Answer> => submit(api, key);
    await waitFor({ what: 'it is taken', read: done, until: ({ status }) => status < 300 });
    expect(await commandsTaken(client, tenant)).toBe(1);
    const checks = await bench.sql`
      select from connection_checks where integration_id = ${tenant.integrationId}`;
    expect(checks).toHaveLength(1);
  }, integrationGoesOn(tenant));
});

test('a credential that is sent again when the first secret is not kept any more is checked by its own', async () => {
  const tenant = await bench.tenant('active');
  await bench.run(async ({ taskQueue }) => {
    const api = open({ taskQueue });
    await api.untilReady();
    const { send: submit, key } = await submitOf(tenant);
    const letGo = hold('checkOutcome');
    expect(await submit(api, key)).toEqual(OVERDUE);
    // It waits to the end: each further request would have a check of its own.
    const later = open({ taskQueue, commandTimeoutMs: 45_000, more: { checkGoesOnMs: 0 } });
    await later.untilReady();
    letGo();
    const done = (): Promise<Answer> => submit(later, key);
    await waitFor({ what: 'it is taken', read: done, until: ({ status }) => status < 300 });
    const checks = await bench.sql`
      select from connection_checks where integration_id = ${tenant.integrationId}`;
    expect(checks.length).toBeGreaterThan(1);
  }, integrationGoesOn(tenant));
});
