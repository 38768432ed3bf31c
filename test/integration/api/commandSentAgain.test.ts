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

/** Sends one request of a tenant, always the same, by whichever api. */
async function requestOf({ organizationId }: TestTenant, method: string, path: string, body: object) {
  const operator = createOperator(bench.testDatabase.ownerUrl);
  const { key } = await operator.createKey({ organization: organizationId, role: 'manager' });
  await operator.end();
  const headers = { Authorization: `Bearer ${key}`, 'Content-Type': 'application/json' };
  return async (api: Api, more: Record<string, string>, other = body): Promise<Answer> => {
    const init = { method, headers: { ...headers, ...more }, body: JSON.stringify(other) };
    const answer = await api.send(path, init);
    const { code } = (await answer.json()) as { code?: unknown };
    return { status: answer.status, code };
  };
}

/** How many commands the integration's run has taken. */
async function commandsTaken(client: Client, tenant: TestTenant): Promise<number> {
  const { events = [] } = await handleOf(client, tenant).fetchHistory();
  return (events ?? []).filter(
    ({ workflowExecutionUpdateAcceptedEventAttributes: accepted }) => (accepted ?? null) !== null,
  ).length;
}

/** The next call of an activity lasts until it is let go. */
function hold(activity: string): () => void {
  let letGo = (): void => {};
  const held = new Promise<void>((resolve) => (letGo = resolve));
  bench.meanwhile(activity, { before: () => held });
  return () => letGo();
}

const OVERDUE: Answer = { status: 503, code: 'worker_unavailable' };

test('a command that is sent again under its key joins the first, which still waits', async () => {
  const tenant = await bench.tenant('active');
  await bench.run(async ({ client, taskQueue }) => {
    const api = open({ taskQueue });
    await api.untilReady();
    const path = `/v1/integrations/${tenant.integrationId}/pause`;
    const pause = await requestOf(tenant, 'POST', path, {});
    const key = { 'Idempotency-Key': randomUUID() };
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

test('a credential that is sent again under its key is stored and checked once', async () => {
  const tenant = await bench.tenant('active');
  await bench.run(async ({ client, taskQueue }) => {
    const api = open({ taskQueue });
    await api.untilReady();
    const path = `/v1/integrations/${tenant.integrationId}/credential`;
    const secret = { kind: 'api_token', email: 'a@example.com', token: 'a-token-of-some-length' };
    const submit = await requestOf(tenant, 'PUT', path, secret);
    const key = { 'Idempotency-Key': randomUUID() };
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
