import { randomUUID } from 'node:crypto';
import { v7 as uuid } from 'uuid';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import type { BitbucketAnswer, BitbucketWrite } from '../../../activities/bitbucket/client.ts';
import { Unreachable } from '../../../activities/bitbucket/errors.ts';
import type { CredentialStore } from '../../../activities/credentials/credentialStore.ts';
import { createWebhookActivities } from '../../../activities/webhooks/webhooks.ts';
import { createDatabase, type Database } from '../../../db/client.ts';
import {
  createCredentialRows,
  createTestKeys,
  inActivity,
  WEBHOOK_KEY,
} from '../../support/bitbucketEngine.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';
import { passSeconds } from '../../support/passSeconds.ts';

const REPOSITORIES = 1_000;
const STEPS = 25;

let testDatabase: TestDatabase;
let database: Database;
let rows: ReturnType<typeof createCredentialRows>;
beforeAll(async () => {
  testDatabase = await createTestDatabase();
  database = createDatabase({ url: testDatabase.workerUrl, maxConnections: 2, applicationName: 'test' });
  rows = createCredentialRows(testDatabase, createTestKeys());
});
afterAll(async () => {
  await database.end();
  await rows.end();
  await testDatabase.drop();
});

/** Only hooks, in memory; the answer to each 97th creation is lost. */
function createHookHost() {
  const hooks = new Map<string, object[]>();
  let created = 0;
  const list = (values: object[], next?: string) => ({ values, ...(next === undefined ? {} : { next }) });
  const jsonOf = (path: string): object => {
    if (path.startsWith('/hook_events/')) return list([{ event: 'repo:push' }]);
    if (path.startsWith('/user/workspaces')) return list([]);
    // More than a page of repositories that it administers: each is asked.
    if (path.includes('role=admin')) return list([], 'https://host.example/more');
    return list(hooks.get(path.split('?')[0] ?? '') ?? []);
  };
  return {
    hooks,
    get: ({ path = '' }: { path?: string }): Promise<BitbucketAnswer> =>
      Promise.resolve({
        status: 200,
        json: jsonOf(path),
        bytes: new Uint8Array(),
        observedAt: new Date().toISOString(),
        date: undefined,
        scopes: {},
      }),
    write({ method, path, body }: BitbucketWrite): Promise<unknown> {
      if (method !== 'POST') return Promise.resolve({});
      const hook = { ...body, uuid: `{${randomUUID()}}`, secret_set: true };
      hooks.set(path, [...(hooks.get(path) ?? []), hook]);
      created += 1;
      if (created % 97 !== 0) return Promise.resolve(hook);
      const finding = { code: 'host_unreachable', message: 'It did not answer.', remedy: 'Wait.' };
      return Promise.reject(new Unreachable({ finding, stage: 'timeout' }));
    },
  };
}

/** An integration that wants webhooks of so many repositories, each its own. */
async function situation(repositories: number, host = createHookHost()) {
  const { sql } = rows;
  const { organizationId, integrationId, credentialId } = await rows.integration('api_token', {});
  const workspaceId = uuid();
  await sql`update integrations set state = 'active', services = '{repositories}' where id = ${integrationId}`;
  await sql`insert into workspaces (id, organization_id, provider_uuid, slug, name, observed_at)
    values (${workspaceId}, ${organizationId}, '{w}', 'acme', 'Acme', now())`;
  await sql`insert into integration_workspaces (organization_id, integration_id, workspace_id, administrator)
    values (${organizationId}, ${integrationId}, ${workspaceId}, false)`;
  await sql`insert into repositories (id, organization_id, workspace_id, provider_uuid, slug, name, full_name, is_private,
      raw, observed_at, integration_id)
    select gen_random_uuid(), ${organizationId}, ${workspaceId}, '{' || gen_random_uuid() || '}', 'r' || n, 'r', 'acme/r' || n,
      true, '{}', now(), ${integrationId} from generate_series(1, ${repositories}) n`;
  await sql`insert into webhook_upkeep (organization_id, integration_id, wanted, command_id)
    values (${organizationId}, ${integrationId}, true, 'first')`;
  const webhooks = createWebhookActivities({
    database,
    client: host,
    credentials: {
      ofIntegration: () => Promise.resolve({ organizationId, credentialId }),
      facts: () => Promise.resolve({ kind: 'api_token', fields: {} }),
    } as unknown as CredentialStore,
    webhookKey: WEBHOOK_KEY,
    publicUrl: 'https://ingestion.example.com',
    apiUrl: 'https://api.bitbucket.org/2.0',
    maxSteps: STEPS,
  });
  const chunk = (cursor: string | null) =>
    inActivity(() => webhooks.keepWebhooksChunk({ organizationId, integrationId, cursor }));
  return { integrationId, host, chunk };
}

it('a thousand repositories get one hook each, in bounded chunks, whatever answers are lost', async () => {
  const { sql } = rows;
  const { integrationId, host, chunk: nextChunk } = await situation(REPOSITORIES);

  let cursor: string | null = null;
  let lost = 0;
  let steps = 0;
  for (let more = true; more; ) {
    try {
      const chunk = await nextChunk(cursor);
      expect(chunk.steps).toBeLessThanOrEqual(STEPS);
      // Ids and a place, never rows: it goes through the history.
      expect((chunk.cursor ?? '').length).toBeLessThan(1_000);
      steps += chunk.steps;
      ({ cursor, more } = chunk);
    } catch (error) {
      // As Temporal does: the same chunk again.
      if (!(error instanceof Unreachable)) throw error;
      lost += 1;
    }
  }
  expect(lost).toBe(10);
  // Of a chunk that broke off, only what was left of it was done again.
  expect(steps).toBeLessThanOrEqual(REPOSITORIES + 10);
  expect(host.hooks.size).toBe(REPOSITORIES);
  for (const [path, hooks] of host.hooks) expect(hooks, path).toHaveLength(1);
  const [counted] = await sql`select count(*)::int as hooks, count(distinct provider_uuid)::int as distinct
    from webhooks where integration_id = ${integrationId} and state = 'active'`;
  expect(counted).toEqual({ hooks: REPOSITORIES, distinct: REPOSITORIES });
});

it('a pause ends a chunk in hand within seconds; the round goes on where it stood', async () => {
  const host = createHookHost();
  const become = (state: string) => rows.sql`update integrations set state = ${state}`;
  let pauses = true;
  const pausing = {
    ...host,
    async write(request: BitbucketWrite): Promise<unknown> {
      if (pauses) {
        await become('paused');
        passSeconds();
      }
      return host.write(request);
    },
  };
  const { chunk } = await situation(5, pausing);
  const begun = await chunk(null).finally(() => vi.restoreAllMocks());
  expect(host.hooks.size).toBe(1);
  expect(begun).toMatchObject({ more: true, off: false });
  expect(await chunk(begun.cursor)).toMatchObject({ more: false, steps: 0, resting: 'paused' });
  await become('active');
  pauses = false;
  expect(await chunk(begun.cursor)).toMatchObject({ more: false, off: false });
  expect(host.hooks.size).toBe(5);
  for (const [path, hooks] of host.hooks) expect(hooks, path).toHaveLength(1);
});
