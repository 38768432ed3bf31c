import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { missingScopes } from '../../simulator/http/errors.ts';
import { acmeWorld } from '../support/acmeWorld.ts';
import { activeIntegration, expectStatus, importEnded, listAll, startImport } from '../support/connect.ts';
import { expectExact } from '../support/expectExact.ts';
import { createStack, type Answer, type Stack } from '../support/stack.ts';

/** A scope that is lost in the middle of an import (reliability.md, F31): of pull requests, and of one repository alone. */

const repository = (slug: string) => ({ slug, pullRequests: 110, commits: 40, tickets: 20 });
const WORLD = acmeWorld([repository('refused'), repository('read')]);
const GRANTED = ['read:repository:bitbucket', 'read:issue:bitbucket'];
const REQUIRED = ['read:pullrequest:bitbucket'];
/** Of the 25, one is the refused one. */
const REQUESTS_A_CHUNK = 24;
const PULL_REQUESTS = '/2.0/repositories/acme/refused/pullrequests';

let stack: Stack;
let integrationId: string;
let importId: string;
let refusedId: string;
beforeAll(async () => {
  stack = await createStack({ simulator: { era: 'guide', world: WORLD } });
  integrationId = await activeIntegration(stack, { credential: 'api_token.service' });
  const listed = await listAll(stack, `/v1/integrations/${integrationId}/repositories`);
  refusedId = listed.find(({ slug }) => slug === 'refused').id;
});
afterAll(() => stack?.close());

/** Everything of the repository's pull requests is refused behind the first page of their list. */
function loseScope(): void {
  const { status, headers, body } = missingScopes(GRANTED, REQUIRED);
  const fault = { kind: 'status', status, content_type: headers['content-type'], body };
  const path = `${PULL_REQUESTS}(/|\\?(?=.*id(>|%3E)50))`;
  stack.simulator.faults.set({ rules: [{ match: { path }, fault }] });
}

const asked = () =>
  stack.simulator.journal
    .since(0)
    .filter(({ path, fault }) => fault !== null && path.includes(PULL_REQUESTS));

async function numbersStored(): Promise<number[]> {
  const rows = await stack.rows.transaction(stack.organizationId, (tx) =>
    tx.execute(sql`select number from pull_requests where repository_id = ${refusedId} order by number`),
  );
  return rows.map(({ number }) => Number(number));
}

test('its stream says what to do; the other streams and repositories come to their end, and nothing is deleted', async () => {
  loseScope();
  importId = await startImport(stack, integrationId);
  expect(await importEnded(stack, importId, 60_000)).toMatchObject({
    state: 'completed_with_failures',
    repositories: { total: 2, completed: 1, failed: 1 },
  });
  const repositories = await listAll(stack, `/v1/imports/${importId}/repositories`);
  const of = (id: string): Answer['body'] => repositories.find(({ repository_id }) => repository_id === id);
  const refusal = {
    code: 'missing_scopes',
    message: expect.stringContaining(`lacks the scope ${REQUIRED.join()}`),
    remedy: expect.stringContaining('create a new API token with them and submit it'),
    details: { missing: REQUIRED, granted: GRANTED },
  };
  expect(of(refusedId)).toMatchObject({ state: 'failed', error: refusal });
  const streams: Answer['body'][] = of(refusedId).streams;
  expect(streams.find(({ stream }) => stream === 'pull_requests')).toMatchObject({
    state: 'failed',
    stored: 50,
    last_error: refusal,
  });
  const states = new Map(streams.map(({ stream, state }) => [stream, state]));
  for (const stream of ['refs', 'commits', 'tickets', 'ticket_comments', 'ticket_changes']) {
    expect([stream, states.get(stream)]).toEqual([stream, 'healthy']);
  }
  // Each chunk asks once whether the scope is back; what builds on the list of pull requests is not asked for.
  const refusals = asked();
  const others = stack.simulator.journal.since(0).filter(({ path }) => path.includes('/refused/issues'));
  expect(refusals.length).toBeGreaterThan(1);
  expect(refusals.length).toBeLessThanOrEqual(Math.ceil(others.length / REQUESTS_A_CHUNK) + 1);
  expect(refusals.filter(({ path }) => !path.startsWith(`${PULL_REQUESTS}?`))).toEqual([]);
  expect(await numbersStored()).toEqual(Array.from({ length: 50 }, (_, index) => index + 1));
  const { body } = await stack.call('GET', `/v1/integrations/${integrationId}`);
  expect(body.health).toBe('degraded');
});

test('given back, the repository goes on behind the page that it has, and ends exact', async () => {
  stack.simulator.faults.clear();
  const since = stack.simulator.journal.since(0).at(-1)?.sequence ?? 0;
  expectStatus(await stack.call('POST', `/v1/imports/${importId}/retry-failed`), 202);
  expect(await importEnded(stack, importId, 60_000)).toMatchObject({
    state: 'completed',
    repositories: { total: 2, completed: 2, failed: 0 },
  });
  const lists = stack.simulator.journal
    .since(since)
    .filter(({ path }) => path.startsWith(`${PULL_REQUESTS}?`));
  expect(decodeURIComponent(lists[0]?.path ?? '')).toContain('q=id>50');
  await expectExact(stack);
  const { body } = await stack.call('GET', `/v1/integrations/${integrationId}`);
  expect(body.health).toBe('healthy');
});
