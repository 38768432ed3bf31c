import { afterEach, expect, test } from 'vitest';
import type { CredentialRef } from '../../../activities/bitbucket/client.ts';
import { useEngineBench } from '../../support/engineBench.ts';

/**
 * A credential that Bitbucket refuses again and again: whoever asks, nothing more is sent with it than the integration's own
 * probe, until that is accepted (facts: a brownout looks like a revoked credential, and lasts 15 minutes).
 */
const bench = useEngineBench();
const signal = new AbortController().signal;
const HELD = { type: 'AuthRefused', finding: { code: 'credential_held' } };
const REFUSED = { type: 'AuthRefused', finding: { code: 'invalid_credentials' } };

const ask = (credential: CredentialRef, path = '/user', more: { evenIfRefused?: boolean } = {}) =>
  bench.engine.client.get({ credential, path, signal, ...more });
const answer = (fault: object, match: object = {}) =>
  bench.simulator.faults.set({ rules: [{ match, fault }] });
const sent = (): number => bench.simulator.journal.since(0).length;

afterEach(() => bench.simulator.faults.clear());

async function refusedThrice(): Promise<CredentialRef> {
  const credential = await bench.connect();
  answer({ kind: 'brownout' });
  for (let time = 1; time <= 3; time += 1) await expect(ask(credential)).rejects.toMatchObject(REFUSED);
  bench.simulator.journal.clear();
  return credential;
}

test('three answers 401 in a row hold back requests, writes and git', async () => {
  const credential = await refusedThrice();
  await expect(ask(credential, '/workspaces/acme-rockets')).rejects.toMatchObject(HELD);
  const write = { credential, method: 'DELETE', path: '/workspaces/acme-rockets/hooks/x', signal } as const;
  await expect(bench.engine.client.write(write)).rejects.toMatchObject(HELD);
  await expect(bench.engine.credentials.gitCredential(credential, signal)).rejects.toMatchObject(HELD);
  expect(sent()).toBe(0);
});

test('another credential of the same account is none of its business', async () => {
  await refusedThrice();
  bench.simulator.faults.clear();
  expect((await ask(await bench.connect())).status).toBe(200);
});

test('a probe is sent: refused, it holds on; accepted, all go on', async () => {
  const credential = await refusedThrice();
  await expect(ask(credential, '/user', { evenIfRefused: true })).rejects.toMatchObject(REFUSED);
  await expect(ask(credential)).rejects.toMatchObject(HELD);
  expect(sent()).toBe(1);
  bench.simulator.faults.clear();
  await ask(credential, '/user', { evenIfRefused: true });
  expect((await ask(credential, '/workspaces/acme-rockets')).status).toBe(200);
  expect(await bench.rows.credential(credential.credentialId)).toMatchObject({
    refusals: 0,
    refused_at: null,
  });
});

test('what is refused of one place alone holds nothing back', async () => {
  const credential = await bench.connect();
  answer({ kind: 'brownout' }, { path: '/hooks' });
  for (let time = 1; time <= 4; time += 1) {
    await expect(ask(credential, '/workspaces/acme-rockets/hooks')).rejects.toMatchObject(REFUSED);
    expect((await ask(credential)).status).toBe(200);
  }
});

test('a right that is missing says that the credential is known', async () => {
  const credential = await refusedThrice();
  answer({ kind: 'status', status: 403 });
  await expect(ask(credential, '/user', { evenIfRefused: true })).rejects.toMatchObject({
    type: 'Forbidden',
  });
  bench.simulator.faults.clear();
  expect((await ask(credential)).status).toBe(200);
});

test('an error of the host says nothing about it', async () => {
  const credential = await refusedThrice();
  answer({ kind: 'status', status: 503 });
  await expect(ask(credential, '/user', { evenIfRefused: true })).rejects.toMatchObject({
    type: 'Upstream',
  });
  await expect(ask(credential)).rejects.toMatchObject(HELD);
});

test('where no probe came, it is asked again twelve minutes behind the last refusal', async () => {
  const credential = await refusedThrice();
  const ago = (minutes: number) => bench.rows.sql`
    update credentials set refused_at = clock_timestamp() - make_interval(mins => ${minutes})
    where id = ${credential.credentialId}`;
  await ago(11);
  await expect(ask(credential)).rejects.toMatchObject(HELD);
  await ago(12);
  await expect(ask(credential)).rejects.toMatchObject(REFUSED);
  await expect(ask(credential)).rejects.toMatchObject(HELD);
  expect(sent()).toBe(1);
});
