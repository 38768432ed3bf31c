import { Client, Connection } from '@temporalio/client';
import postgres from 'postgres';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { acmeWorld } from '../support/acmeWorld.ts';
import { below } from '../support/badAnswers.ts';
import { activeIntegration, expectStatus, startImport } from '../support/connect.ts';
import { rowsLeft } from '../support/importedRows.ts';
import { seededRandom } from '../support/seededRandom.ts';
import { seeds, seedsTimeoutMs } from '../support/seeds.ts';
import { createStack, type Stack } from '../support/stack.ts';
import { waitFor } from '../support/waitFor.ts';

/**
 * An integration is deleted at any request of its import (reliability.md, F52), every second time with its worker killed
 * behind the command: nothing of it is left, here or at Bitbucket, and nobody writes or asks any more.
 */
const repository = (slug: string, pullRequests: number) => ({ slug, pullRequests, commits: 20, tickets: 10 });
const WORLD = acmeWorld([repository('first', 120), repository('second', 30)]);
/** Fewer than an import of both makes. */
const REQUESTS = 25;

let stack: Stack;
let sql: postgres.Sql;
let connection: Connection;
let client: Client;
beforeAll(async () => {
  stack = await createStack({ simulator: { era: 'guide', world: WORLD } });
  sql = postgres(stack.database.superuserUrl, { max: 1, onnotice: () => {} });
  const { temporalNamespace: namespace } = inject('servers');
  connection = await Connection.connect({ address: stack.temporalAddress });
  client = new Client({ connection, namespace });
});
afterAll(async () => {
  await connection?.close();
  await sql?.end();
  await stack?.close();
});

const requests = () => stack.simulator.journal.since(0);

async function hooks(): Promise<unknown[]> {
  const answer = await fetch(`${stack.simulator.url}/_simulator/hooks`);
  return ((await answer.json()) as { hooks: unknown[] }).hooks;
}

async function registerWebhooks(integrationId: string): Promise<void> {
  const path = `/v1/integrations/${integrationId}/webhooks`;
  expectStatus(await stack.call('PUT', path, {}), 202);
  await waitFor({
    what: 'the webhooks are registered',
    read: async () => (await stack.call('GET', path)).body.state,
    until: (state) => state === 'done',
    timeoutMs: 30_000,
  });
  expect(await hooks()).not.toEqual([]);
}

async function openRuns(): Promise<string[]> {
  const open: string[] = [];
  const query = `TaskQueue = '${stack.taskQueue}' AND ExecutionStatus = 'Running'`;
  for await (const { workflowId } of client.workflow.list({ query })) open.push(workflowId);
  return open;
}

test('at any request of an import: no row, no secret, no hook, no run is left, and nobody goes on', {
  timeout: seedsTimeoutMs(),
}, async () => {
  for (const seed of seeds(2)) {
    const at = 1 + below(seededRandom(seed), REQUESTS);
    const told = `seed ${String(seed)}: at request ${String(at)}`;
    const name = `Removed ${String(seed)}`;
    const id = await activeIntegration(stack, { name });
    await registerWebhooks(id);
    stack.simulator.journal.clear();
    await startImport(stack, id);
    await waitFor({
      what: `the import has made ${String(at)} requests`,
      read: () => requests().length,
      until: (count) => count >= at,
      intervalMs: 2,
      timeoutMs: 60_000,
    });
    const confirm = encodeURIComponent(name);
    expectStatus(await stack.call('DELETE', `/v1/integrations/${id}?confirm=${confirm}`), 202);
    if (seed % 2 === 0) {
      await stack.workers.at(-1)?.kill();
      await stack.startWorker();
    }
    await waitFor({
      what: `the integration is gone (${told})`,
      read: async () => (await stack.call('GET', `/v1/integrations/${id}`)).status,
      until: (status) => status === 404,
      timeoutMs: 120_000,
    });
    expect(await rowsLeft(sql, stack.organizationId), told).toEqual({});
    expect(await hooks(), told).toEqual([]);
    const made = requests().length;
    await waitFor({
      what: `every run has ended (${told})`,
      read: openRuns,
      until: (open) => open.length === 0,
      timeoutMs: 60_000,
    });
    expect(await rowsLeft(sql, stack.organizationId), told).toEqual({});
    expect(requests().length, told).toBe(made);
  }
});
