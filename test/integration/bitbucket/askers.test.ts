import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BACKGROUND, walker } from '../../../activities/bitbucket/asker.ts';
import {
  type BitbucketClient,
  createBitbucketClient,
  type CredentialRef,
} from '../../../activities/bitbucket/client.ts';
import { RateLimited } from '../../../activities/bitbucket/errors.ts';
import { createRequestGate } from '../../../activities/bitbucket/requestGate.ts';
import { standInKey } from '../../../activities/credentials/credentialStore.ts';
import type { ImportKind } from '../../../workflows/words.ts';
import { signerOf } from '../../support/bareClient.ts';
import {
  type BitbucketEngine,
  createBitbucketEngine,
  createCredentialRows,
  createTestKeys,
  type CredentialRows,
  inActivity,
} from '../../support/bitbucketEngine.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';
import { presentedCredential } from '../../support/presentedCredential.ts';
import { createSimulator, type Simulator } from '../../support/simulator.ts';
import { createSituation, type Situation } from '../streams/situation.ts';

/** For whom the engine asks: what a person or a webhook waits for may use the reserve, everything else may not. */

const never = new AbortController().signal;
const LIMIT = 1_000;
const RESERVE = 30;

describe('a connection check', () => {
  const keys = createTestKeys();
  let testDatabase: TestDatabase;
  let simulator: Simulator;
  let rows: CredentialRows;
  let engine: BitbucketEngine;
  beforeAll(async () => {
    testDatabase = await createTestDatabase();
    rows = createCredentialRows(testDatabase, keys);
    simulator = await createSimulator({ era: 'guide', limit: 0 });
    const { apiUrl, url: webUrl } = simulator;
    engine = createBitbucketEngine({ databaseUrl: testDatabase.workerUrl, keys, apiUrl, webUrl });
  });
  afterAll(async () => {
    await Promise.all([engine?.end(), rows?.end(), simulator?.close()]);
    await testDatabase?.drop();
  });

  /** Checks a credential that nobody has seen before; gives it, its account, and how many requests that took. */
  async function check(name: string) {
    const { kind, secret, ...more } = presentedCredential(simulator, name);
    const found = await rows.integration(kind, secret, more);
    await inActivity(() => engine.connection.checkConnection(found));
    const [row] = await rows.sql`select verdict, report from connection_checks where id = ${found.checkId}`;
    const account = simulator.credential(name).owner;
    return { ...found, account, verdict: row?.['verdict'], requests: Number(row?.['report'].requests) };
  }

  /** How many requests are counted for an account, or for what stands for it. */
  async function counted(accountKey: string): Promise<number> {
    const [row] = await rows.sql`select coalesce(sum(requests), 0)::int as requests from request_uses
      where account_key = ${accountKey}`;
    return Number(row?.['requests']);
  }

  test('is counted for the account as a whole, also what was asked before that was known', async () => {
    const first = await check('api_token.member');
    expect(first.requests).toBeGreaterThan(2);
    expect(simulator.journal.since(0)).toHaveLength(first.requests);
    expect(await counted(first.account)).toBe(first.requests);
    expect(await counted(standInKey(first.credentialId))).toBe(0);
    const second = await check('api_token.member');
    expect(second.credentialId).not.toBe(first.credentialId);
    expect(await counted(second.account)).toBe(first.requests + second.requests);
  });

  test('and a probe go into the reserve that imports leave', async () => {
    const { account, organizationId, integrationId, credentialId } = await check('api_token.admin');
    await rows.sql`update request_limits set stated_limit = ${LIMIT} where account_key = ${account}`;
    await rows.sql`insert into request_uses (account_key, limit_group, leaves_at, consumer, requests)
      select account_key, limit_group, now() + interval '30 minutes', 'an import', ${LIMIT - RESERVE}
      from request_limits where account_key = ${account}`;
    const credential: CredentialRef = { organizationId, credentialId };
    for (const asker of [BACKGROUND, walker('an import', null)]) {
      const asked = engine.client.get({ credential, path: '/user', signal: never, asker, maxWaitMs: 0 });
      await expect(asked).rejects.toBeInstanceOf(RateLimited);
    }
    expect((await check('api_token.admin')).verdict).toBe('ok');
    expect(
      await inActivity(() => engine.connection.probeCredential({ organizationId, integrationId })),
    ).toEqual({ accepted: true });
  });
});

describe('a repository, where only the reserve is left', () => {
  let situation: Situation;
  let bitbucket: BitbucketClient;
  beforeAll(async () => {
    situation = await createSituation();
    const gate = createRequestGate({ database: situation.database, limits: { repository_data: LIMIT } });
    const signer = signerOf(situation.simulator);
    const { accountKey } = await signer.sign({ organizationId: '', credentialId: '' }, never);
    const permit = await gate.take({
      accountKey,
      group: 'repository_data',
      asker: walker('an import', null),
      requests: LIMIT - RESERVE,
      deadlineMs: 60_000,
      maxWaitMs: 0,
      signal: never,
    });
    await permit.answered({ status: 200, headers: new Headers() });
    bitbucket = createBitbucketClient({ apiUrl: situation.simulator.apiUrl, signer, gate });
  });
  afterAll(() => situation?.close());

  /** Reads one for an import or a sync, as far as it goes at once. */
  async function read(name: string, kind: ImportKind) {
    const input = await situation.startImport(await situation.repository(`acme-rockets/${name}`));
    await situation.rows(sql`update imports set kind = ${kind} where id = ${input.importId}`);
    return situation.chunk({ ...input, streams: ['pull_requests'] }, { bitbucket });
  }

  test('is read for a sync, and waits where an import reads it', async () => {
    const told = { limited: { why: 'Bitbucket allowance' }, requests: 0 };
    expect(await read('telemetry', 'import')).toMatchObject(told);
    const synced = await read('launch-scripts', 'sync');
    expect(synced).toMatchObject({ done: true });
    expect(synced.requests).toBeGreaterThan(0);
  });
});
