import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { CONSUMER, type RateLimited } from '../../../activities/bitbucket/errors.ts';
import { type EngineOptions, inActivity } from '../../support/bitbucketEngine.ts';
import { ask, calls, mark, refusing, TOKEN_PATH, useOauthBench } from '../../support/oauthBench.ts';
import type { Simulator } from '../../support/simulator.ts';
import { waitFor } from '../../support/waitFor.ts';

/** A refresh, and what happens to its credential or to Postgres meanwhile. */
const bench = useOauthBench();
const { hosts, engineFor, connected } = bench;

type Connected = Awaited<ReturnType<typeof connected>>;

/** Longer than a test may take. */
const NEVER_MS = 600_000;

const untilTokenCalls = (host: Simulator, since: number, count: number) =>
  waitFor({
    what: `the token endpoint was called (${String(count)})`,
    read: () => calls(host, since, TOKEN_PATH),
    until: (made) => made === count,
  });

/** The integration signs with another one from now on; null: with none. */
async function replace({ credentialId, integrationId }: Connected, next: Connected | null) {
  await bench.rows.sql`
    update credentials set state = 'shredded', sealed = null where id = ${credentialId}`;
  await bench.rows.sql`
    update integrations set credential_id = ${next?.credentialId ?? null} where id = ${integrationId}`;
}

it('a new pair is stored though the connection to Postgres is lost while Bitbucket answers', async () => {
  const host = hosts.strict;
  const engine = engineFor(host);
  const credential = await connected(host);
  const since = mark(host);
  host.faults.set({
    rules: [{ match: { path: TOKEN_PATH }, nth: 1, fault: { kind: 'slow_body', ms: 1_000 } }],
  });
  const asked = ask(engine, credential);
  await untilTokenCalls(host, since, 1);
  const ended = await bench.rows.sql`
    select pg_terminate_backend(pid) from pg_stat_activity
    where datname = current_database() and application_name = 'test refresh' and state = 'idle in transaction'`;
  expect(ended).toHaveLength(1);
  expect((await asked).status).toBe(200);
  expect(calls(host, since, TOKEN_PATH)).toBe(1);
  expect(await bench.rows.credential(credential.credentialId)).toMatchObject({ version: 2 });
});

it('a pair that Bitbucket gives to one process behind the verdict of another is used', async () => {
  const host = hosts.strict;
  const [one, other] = [engineFor(host, { secondTryAfterMs: 1 }), engineFor(host)];
  const credential = await connected(host);
  host.faults.set({ rules: [{ match: { path: TOKEN_PATH }, fault: refusing('invalid_grant') }] });
  await expect(ask(one, credential)).rejects.toMatchObject({ finding: { code: 'credential_expired' } });
  host.faults.clear();
  await other.refresher?.refresh(credential, 1);
  expect((await ask(one, credential)).status).toBe(200);
});

it('a credential that was replaced while its second refusal came is not called expired', async () => {
  const host = hosts.strict;
  const engine = engineFor(host, { secondTryAfterMs: 1 });
  const [credential, next] = [await connected(host), await connected(host, null)];
  const since = mark(host);
  const doubtful = { match: { path: TOKEN_PATH }, nth: 1, fault: refusing('unauthorized_client') };
  // The third call asks whether the consumer is taken.
  const slow = { match: { path: TOKEN_PATH }, nth: 1, fault: { kind: 'slow_body', ms: 1_000 } };
  host.faults.set({ rules: [doubtful, doubtful, slow] });
  const asked = ask(engine, credential);
  await untilTokenCalls(host, since, 3);
  await replace(credential, next);
  await expect(asked).rejects.toMatchObject({ type: 'CredentialReplaced' });
});

it('a renewal that Bitbucket tells to wait is asked for by nobody before, and again when the wait is over', async () => {
  const host = hosts.strict;
  const engine = engineFor(host);
  const credential = await connected(host);
  const since = mark(host);
  const seconds = 60;
  const fault = { kind: 'rate_limit', retry_after: 'seconds', seconds };
  host.faults.set({ rules: [{ match: { path: TOKEN_PATH }, nth: 1, fault }] });
  const refused = { type: 'RateLimited', finding: { code: 'rate_limited' } };
  await expect(ask(engine, credential)).rejects.toMatchObject(refused);
  await expect(ask(engine, credential)).rejects.toMatchObject(refused);
  expect(calls(host, since, TOKEN_PATH)).toBe(1);
  const row = () => bench.rows.credential(credential.credentialId);
  expect(await row()).toMatchObject({ version: 1, refreshing: true });
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + seconds * 1_000 });
  onTestFinished(() => void vi.useRealTimers());
  expect((await ask(engine, credential)).status).toBe(200);
  expect(calls(host, since, TOKEN_PATH)).toBe(2);
  expect(await row()).toMatchObject({ version: 2, refreshing: false });
});

describe('the wait for the second try ends as soon as the credential', () => {
  async function refusedOnce() {
    const host = hosts.strict;
    const engine = engineFor(host, { secondTryAfterMs: NEVER_MS });
    const credential = await connected(host);
    const since = mark(host);
    host.faults.set({ rules: [{ match: { path: TOKEN_PATH }, nth: 1, fault: refusing('invalid_grant') }] });
    const asked = ask(engine, credential);
    await untilTokenCalls(host, since, 1);
    return { host, credential, asked };
  }

  it('is replaced', async () => {
    const { host, credential, asked } = await refusedOnce();
    await replace(credential, await connected(host, null));
    await expect(asked).rejects.toMatchObject({ type: 'CredentialReplaced' });
  });

  it('is removed', async () => {
    const { credential, asked } = await refusedOnce();
    await replace(credential, null);
    await expect(asked).rejects.toMatchObject({
      type: 'CredentialUnusable',
      finding: { code: 'credential_removed' },
    });
  });

  it('is renewed by another process', async () => {
    const { host, credential, asked } = await refusedOnce();
    await ask(engineFor(host), credential);
    expect((await asked).status).toBe(200);
  });
});

describe('trouble with the consumer of the installation', () => {
  const LONGEST_MS = 10 * 60_000;

  it.each<[string, Partial<EngineOptions>, object | null]>([
    ['is refused', {}, refusing('invalid_client', 401)],
    ['is refused with all that is asked by it', {}, refusing('unauthorized_client', 401)],
    ['is not there', { consumer: null }, null],
    ['would be sent without encryption', { webUrl: 'http://bitbucket.invalid' }, null],
  ])(
    'says nothing of a credential: it %s, and work waits for the operator and then goes on',
    async (_, more, fault) => {
      const host = hosts.strict;
      const engine = engineFor(host, { secondTryAfterMs: 1, ...more });
      const credential = await connected(host);
      const { organizationId, integrationId } = credential;
      if (fault !== null) host.faults.set({ rules: [{ match: { path: TOKEN_PATH }, fault }] });
      const probe = () =>
        inActivity(() => engine.connection.probeCredential({ organizationId, integrationId }));
      for (const asking of [() => ask(engine, credential), probe]) {
        const error = await asking().catch((thrown: unknown) => thrown);
        expect(error).toMatchObject({ type: 'RateLimited', why: CONSUMER });
        const { until, finding } = error as RateLimited;
        expect(finding.code).toMatch(/^oauth_/);
        expect(finding.remedy).toContain('The operator must');
        expect(Date.parse(until) - Date.now()).toBeLessThan(LONGEST_MS);
      }
      host.faults.clear();
      expect((await ask(engineFor(host), credential)).status).toBe(200);
    },
  );
});
