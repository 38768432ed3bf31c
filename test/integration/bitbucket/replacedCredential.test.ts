import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createDatabase, type Database } from '../../../db/client.ts';
import { createSimulator, type Simulator } from '../../support/simulator.ts';
import {
  createBitbucketEngine,
  createCredentialRows,
  createTestKeys,
  type BitbucketEngine,
  type CredentialRows,
} from '../../support/bitbucketEngine.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';

const keys = createTestKeys();
let testDatabase: TestDatabase;
let owner: Database;
let rows: CredentialRows;
let simulator: Simulator;
let engine: BitbucketEngine;

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  owner = createDatabase({ url: testDatabase.workerUrl, maxConnections: 1, applicationName: 'test' });
  rows = createCredentialRows(testDatabase, keys);
  simulator = await createSimulator({ limit: 0 });
  const { apiUrl, url: webUrl } = simulator;
  engine = createBitbucketEngine({ databaseUrl: testDatabase.workerUrl, keys, apiUrl, webUrl });
});
afterAll(async () => {
  await Promise.all([engine.end(), rows.end(), owner.end(), simulator.close()]);
  await testDatabase.drop();
});

async function connected() {
  const { secret, login } = simulator.credential('api_token.admin');
  return rows.integration('api_token', { email: login ?? '', token: secret });
}

const ask = (credential: { organizationId: string; credentialId: string }) =>
  engine.client.get({ credential, path: '/user', signal: new AbortController().signal });

const shred = (credential: { organizationId: string; credentialId: string }) =>
  owner.transaction(credential.organizationId, (tx) =>
    tx.execute(sql`
      update credentials set sealed = null, state = 'shredded' where id = ${credential.credentialId}`),
  );

it('work that began with a credential which was replaced meanwhile is tried again, and then signs with the new one', async () => {
  const old = await connected();
  const fresh = await connected();
  await owner.transaction(old.organizationId, (tx) =>
    tx.execute(
      sql`update integrations set credential_id = ${fresh.credentialId} where id = ${old.integrationId}`,
    ),
  );
  await shred(old);
  await expect(ask(old)).rejects.toMatchObject({ type: 'CredentialReplaced', retry: { kind: 'always' } });
  const signing = await engine.credentials.ofIntegration(old);
  expect(signing.credentialId).toBe(fresh.credentialId);
});

it('a credential that was shredded and not replaced cannot be used, and trying again does not help', async () => {
  const only = await connected();
  await shred(only);
  await expect(ask(only)).rejects.toMatchObject({ type: 'CredentialUnusable', retry: { kind: 'never' } });
});
