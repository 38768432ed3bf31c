import { createHash, randomBytes } from 'node:crypto';
import { v7 } from 'uuid';
import { describe, expect, it } from 'vitest';
import { AttemptOver, withinAttempt } from '../../../platform/attempt.ts';
import { createSealer } from '../../../platform/secrets/seal.ts';
import type { Simulator } from '../../support/simulator.ts';
import { type BitbucketEngine, inActivity } from '../../support/bitbucketEngine.ts';
import { oauthCode } from '../../support/oauthBrowser.ts';
import { waitFor } from '../../support/waitFor.ts';
import { ask, calls, mark, refusing, TOKEN_PATH, useOauthBench } from '../../support/oauthBench.ts';

const bench = useOauthBench();
const { hosts, keys, engineFor, connected } = bench;

describe('refreshes', () => {
  it('of 12 credentials on a pool of 2 connections do not block each other', async () => {
    const host = hosts.strict;
    const engine = engineFor(host);
    const credentials = await Promise.all(Array.from({ length: 12 }, () => connected(host)));
    const since = mark(host);
    await Promise.all([...credentials, ...credentials].map((credential) => ask(engine, credential)));
    expect(calls(host, since, TOKEN_PATH)).toBe(12);
  });
});

describe('an access token', () => {
  it('that Bitbucket calls expired is renewed once, and the same request goes again', async () => {
    const host = hosts.strict;
    const engine = engineFor(host);
    const credential = await connected(host, null);
    const since = mark(host);
    host.faults.set({ rules: [{ match: { path: '/user' }, nth: 1, fault: { kind: 'expired_token' } }] });
    expect((await ask(engine, credential)).status).toBe(200);
    expect(calls(host, since, TOKEN_PATH)).toBe(1);
    expect(calls(host, since, '/2.0/user')).toBe(2);
  });

  it('that is refused though it is fresh is not renewed again and again (a brownout)', async () => {
    const host = hosts.strict;
    const engine = engineFor(host);
    const credential = await connected(host, null);
    const since = mark(host);
    host.faults.set({ rules: [{ match: { path: '/user' }, fault: { kind: 'brownout' } }] });
    for (let tries = 0; tries < 5; tries += 1) {
      await expect(ask(engine, credential, true)).rejects.toMatchObject({ type: 'AuthRefused' });
    }
    expect(calls(host, since, TOKEN_PATH)).toBe(1);
    host.faults.clear();
    expect((await ask(engine, credential, true)).status).toBe(200);
  });

  it('is stored though the attempt that asked for it is over by then: nobody else has it', async () => {
    const host = hosts.strict;
    const credential = await connected(host);
    host.faults.set({ rules: [{ match: { path: TOKEN_PATH }, fault: { kind: 'delay', ms: 1_000 } }] });
    await expect(withinAttempt(500, () => ask(engineFor(host), credential))).rejects.toBeInstanceOf(
      AttemptOver,
    );
    host.faults.clear();
    expect(await bench.rows.credential(credential.credentialId)).toMatchObject({
      version: 2,
      refreshing: false,
    });
    expect((await ask(engineFor(host), credential)).status).toBe(200);
  });

  it('is stored before it is used: a new process goes on with it', async () => {
    const host = hosts.strict;
    const credential = await connected(host);
    await ask(engineFor(host), credential);
    const since = mark(host);
    await ask(engineFor(host), credential);
    expect(calls(host, since, TOKEN_PATH)).toBe(0);
  });
});

describe('a refresh token', () => {
  it('refused twice, apart in time, ends the credential; then nothing more is sent', async () => {
    const host = hosts.strict;
    const engine = engineFor(host, { secondTryAfterMs: 400 });
    const credential = await connected(host);
    const since = mark(host);
    host.faults.set({
      rules: [{ match: { path: TOKEN_PATH }, fault: refusing('invalid_grant') }],
    });
    const unusable = { type: 'CredentialUnusable', finding: { code: 'credential_expired' } };
    const began = performance.now();
    await expect(ask(engine, credential)).rejects.toMatchObject(unusable);
    expect(performance.now() - began).toBeGreaterThan(400);
    expect(calls(host, since, TOKEN_PATH)).toBe(2);
    await expect(ask(engine, credential)).rejects.toMatchObject(unusable);
    expect(calls(host, since, TOKEN_PATH)).toBe(2);
  });

  it.each(['invalid_grant', 'unauthorized_client'])('refused once (%s) is not believed', async (error) => {
    const host = hosts.strict;
    const engine = engineFor(host);
    const credential = await connected(host);
    host.faults.set({
      rules: [{ match: { path: TOKEN_PATH }, nth: 1, fault: refusing(error, 401) }],
    });
    expect((await ask(engine, credential)).status).toBe(200);
  });

  it.each([{ kind: 'status', status: 503 }, { kind: 'reset' }, { kind: 'html' }])(
    'without a clear answer (%j) may be tried later',
    async (fault) => {
      const host = hosts.lenient;
      const engine = engineFor(host);
      const credential = await connected(host);
      host.faults.set({ rules: [{ match: { path: TOKEN_PATH }, nth: 1, fault }] });
      const error = await ask(engine, credential).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ retry: { kind: expect.not.stringMatching('never') as string } });
      expect(await bench.rows.credential(credential.credentialId)).toMatchObject({
        version: 1,
        refreshing: true,
      });
      expect((await ask(engine, credential)).status).toBe(200);
      expect(await bench.rows.credential(credential.credentialId)).toMatchObject({
        version: 2,
        refreshing: false,
      });
    },
  );
});

describe('the code of a returned flow', () => {
  async function returned(host: Simulator, change: { expires?: string; state?: string; code?: string } = {}) {
    const verifier = randomBytes(32).toString('base64url');
    const { code, redirectUri } = await oauthCode(host, 'service', {
      code_challenge: createHash('sha256').update(verifier).digest('base64url'),
      code_challenge_method: 'S256',
    });
    const organizationId = await bench.rows.organization();
    const [integrationId, oauthFlowId] = [v7(), v7()];
    await bench.rows
      .sql`insert into integrations (id, organization_id) values (${integrationId}, ${organizationId})`;
    const sealer = createSealer(keys);
    const sealed = async (field: string, value: string) =>
      Buffer.from((await sealer.seal(value, { organizationId, ownerId: integrationId, field })).sealed);
    await bench.rows.sql`insert into oauth_flows
        (id, organization_id, integration_id, state_hash, sealed_verifier, sealed_code, key_id, state, expires_at, redirect_uri)
      values (${oauthFlowId}, ${organizationId}, ${integrationId}, ${randomBytes(32)},
        ${await sealed('oauth_verifier', verifier)}, ${await sealed('oauth_code', change.code ?? code)}, ${keys.keyId},
        ${change.state ?? 'returned'}, ${change.expires ?? new Date(Date.now() + 60_000).toISOString()}, ${redirectUri})`;
    return { organizationId, integrationId, oauthFlowId };
  }
  const exchange = (engine: BitbucketEngine, flow: Awaited<ReturnType<typeof returned>>, checkId = v7()) =>
    inActivity(() => engine.connection.exchangeOauthCode({ ...flow, checkId }));
  const invalid = { finding: { code: 'oauth_state_invalid' } };

  it('becomes a candidate credential that signs', async () => {
    const host = hosts.lenient;
    const engine = engineFor(host);
    const flow = await returned(host);
    const outcome = await exchange(engine, flow);
    if (!('credentialId' in outcome)) throw new Error('no credential');
    const { credentialId } = outcome;
    const { organizationId } = flow;
    expect((await ask(engine, { organizationId, credentialId })).status).toBe(200);
    expect(await bench.rows.credential(credentialId)).toMatchObject({ state: 'candidate', kind: 'oauth' });
    const [waits] = await bench.rows.sql<{ minutes: number }[]>`
      select extract(epoch from discard_after - created_at)::float8 / 60 as minutes
      from credentials where id = ${credentialId}`;
    expect(waits?.minutes).toBeCloseTo(15, 1);
    const [row] = await bench.rows.sql`select * from oauth_flows where id = ${flow.oauthFlowId}`;
    expect(row).toMatchObject({ state: 'completed', sealed_code: null, sealed_verifier: null });
  });

  it('is exchanged once, however many complete it at the same time', async () => {
    const host = hosts.lenient;
    const engine = engineFor(host);
    const flow = await returned(host);
    const since = mark(host);
    const outcomes = await Promise.all(Array.from({ length: 50 }, () => exchange(engine, flow)));
    expect(outcomes.filter((outcome) => 'credentialId' in outcome)).toHaveLength(1);
    expect(outcomes.filter((outcome) => 'finding' in outcome)[0]).toMatchObject(invalid);
    expect(calls(host, since, TOKEN_PATH)).toBe(1);
    const [row] = await bench.rows.sql`select state from oauth_flows where id = ${flow.oauthFlowId}`;
    expect(row?.['state']).toBe('completed');
  });

  it('run again after its answer was lost gives the same credential, without a call', async () => {
    const host = hosts.lenient;
    const engine = engineFor(host);
    const flow = await returned(host);
    const checkId = v7();
    const first = await exchange(engine, flow, checkId);
    const since = mark(host);
    expect(await exchange(engine, flow, checkId)).toEqual(first);
    expect(calls(host, since, TOKEN_PATH)).toBe(0);
  });

  it('is not lost when Postgres is, at the moment its tokens are stored', async () => {
    const host = hosts.lenient;
    const flow = await returned(host);
    const { exchanged } = await bench.rows.sql.begin(async (tx) => {
      await tx`lock table credentials in exclusive mode`;
      const outcome = exchange(engineFor(host), flow);
      const [storing] = await waitFor({
        what: 'the tokens are about to be stored',
        read: () => bench.rows.sql<{ pid: number }[]>`select pid from pg_stat_activity
          where datname = current_database() and wait_event_type = 'Lock'`,
        until: (waiting) => waiting.length === 1,
      });
      await bench.rows.sql`select pg_terminate_backend(${storing?.pid ?? 0})`;
      return { exchanged: outcome };
    });
    expect(await exchanged).toEqual({ credentialId: flow.oauthFlowId });
  });

  it.each([
    ['has expired', { expires: '2026-01-01T00:00:00Z' }],
    ['was denied', { state: 'denied' }],
    ['was completed', { state: 'completed' }],
    ['has not returned', { state: 'started' }],
  ])('of a flow that %s is not sent', async (_, change) => {
    const host = hosts.lenient;
    const flow = await returned(host, change);
    const since = mark(host);
    expect(await exchange(engineFor(host), flow)).toMatchObject(invalid);
    expect(calls(host, since, TOKEN_PATH)).toBe(0);
  });

  it('of another integration is not sent', async () => {
    const host = hosts.lenient;
    const [flow, other] = [await returned(host), await returned(host)];
    const since = mark(host);
    const foreign = { ...other, oauthFlowId: flow.oauthFlowId };
    expect(await exchange(engineFor(host), foreign)).toMatchObject(invalid);
    expect(calls(host, since, TOKEN_PATH)).toBe(0);
  });

  it('that Bitbucket does not know ends the flow', async () => {
    const host = hosts.lenient;
    const flow = await returned(host, { code: 'no-such-code' });
    expect(await exchange(engineFor(host), flow)).toMatchObject(invalid);
    const [row] = await bench.rows.sql`select state from oauth_flows where id = ${flow.oauthFlowId}`;
    expect(row?.['state']).toBe('failed');
  });

  it('with a wrong consumer is told to the operator', async () => {
    const host = hosts.lenient;
    const engine = engineFor(host, { consumer: { key: host.consumer.key, secret: 'wrong' } });
    expect(await exchange(engine, await returned(host))).toMatchObject({
      finding: { code: 'oauth_consumer_refused' },
    });
  });
});
