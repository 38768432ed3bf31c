import { Client, Connection } from '@temporalio/client';
import postgres from 'postgres';
import { v7 as uuid } from 'uuid';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { importRepositoryWorkflowId, importWorkflowId } from '../../workflows/ids.ts';
import type { importRepositories } from '../../workflows/importRepositories.ts';
import { acmeWorld } from '../support/acmeWorld.ts';
import { activeIntegration, consentTo, listAll } from '../support/connect.ts';
import { expectExact } from '../support/expectExact.ts';
import { passTime } from '../support/passTime.ts';
import { createStack, type Answer, type Stack } from '../support/stack.ts';
import { stackHistories } from '../support/stackRuns.ts';
import { waitFor } from '../support/waitFor.ts';

/**
 * An import of many hours (reliability.md, F36) by the workflows as they are, which `integration/faults/monthLong` leaves out:
 * its allowance makes it wait hour after hour, its tokens end every two hours, and its runs continue as new. An hour passes
 * by shifting what the engine and the host remember; the wait of the workflow is ended by the worker, as when room is early.
 */
/** Requests leave the window at the end of a bucket of ten seconds. */
const HOUR_MS = 3_600_000 + 11_000;
const LIMIT = 16;
/** One of them is the reserve. */
const AN_HOUR = LIMIT - 1;
const HISTORY_LIMIT = 60;
/** Of a run that is long: what was in hand when it became so. */
const MORE_EVENTS = 40;
const WORLD = acmeWorld([{ slug: 'subject', pullRequests: 150, commits: 20, tickets: 15 }]);
const TOKENS = '/site/oauth2/access_token';

let stack: Stack;
let integrationId: string;
let importId: string;
let connection: Connection;
beforeAll(async () => {
  stack = await createStack({ simulator: { era: 'guide', world: WORLD, limit: LIMIT } });
  integrationId = await activeIntegration(stack, { credential: 'api_token.admin' });
  await consentTo(stack, integrationId);
  connection = await Connection.connect({ address: stack.temporalAddress });
});
afterAll(async () => {
  await connection?.close();
  await stack?.close();
});

/** As the api and the integration do, but that its runs may have few events. */
async function start(): Promise<void> {
  importId = uuid();
  const { organizationId } = stack;
  const admin = postgres(stack.database.superuserUrl, { max: 1, onnotice: () => {} });
  await admin`insert into imports (id, organization_id, integration_id, mode, selection)
    values (${importId}, ${organizationId}, ${integrationId}, 'changed', '{"all":true}')`;
  await admin.end();
  const client = new Client({ connection, namespace: inject('servers').temporalNamespace });
  await client.workflow.start<typeof importRepositories>('importRepositories', {
    workflowId: importWorkflowId(importId),
    taskQueue: stack.taskQueue,
    args: [{ organizationId, integrationId, importId, timing: { historyLimit: HISTORY_LIMIT } }],
  });
}

const repositoryRequests = () =>
  stack.simulator.journal
    .since(0)
    .filter(({ path, group }) => group === 'repository' && path.startsWith('/2.0/'));

/** Waits until the import has ended, or waits again: since another time than before. */
const untilItWaits = (before: string | null): Promise<Answer['body']> =>
  waitFor({
    what: 'the import waits for the next hour, or has ended',
    read: async () => (await stack.call('GET', `/v1/imports/${importId}`)).body,
    until: ({ state, waiting }) => state === 'completed' || (waiting !== null && waiting.since !== before),
    timeoutMs: 30_000,
  });

test('of many hours: each is used up, tokens are renewed, runs continue as new, and all is there', async () => {
  const renewals = () => stack.simulator.journal.since(0).filter(({ path }) => path === TOKENS).length;
  const before = renewals();
  await start();
  const used: number[] = [];
  for (let body = await untilItWaits(null); body.state !== 'completed'; ) {
    const sent = repositoryRequests().length;
    await passTime({ ...stack, database: stack.rows }, HOUR_MS);
    body = await untilItWaits(body.waiting.since);
    used.push(repositoryRequests().length - sent);
  }
  const whole = used.slice(0, -1);
  expect(whole.length).toBeGreaterThan(2);
  for (const requests of whole) expect(requests).toBeGreaterThanOrEqual(0.95 * AN_HOUR);
  for (const requests of used) expect(requests).toBeLessThanOrEqual(AN_HOUR);
  expect(stack.simulator.journal.since(0).filter(({ status }) => status === 429)).toEqual([]);
  expect(renewals() - before).toBeGreaterThanOrEqual(Math.floor(used.length / 2));
  expect(renewals() - before).toBeLessThan(used.length);

  const listed = await listAll(stack, `/v1/integrations/${integrationId}/repositories`);
  const workflowId = importRepositoryWorkflowId(listed[0].id);
  const runs = (await stackHistories(stack)).filter(({ run }) => run.workflowId === workflowId);
  expect(runs.length).toBeGreaterThan(1);
  for (const { history } of runs) expect(history.events?.length).toBeLessThan(HISTORY_LIMIT + MORE_EVENTS);
  await expectExact(stack);
});
