import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { REFUSED_HOOK_RESTS_HOURS } from '../../../db/queries/webhookTargets.ts';
import { webhookSecret } from '../../../platform/secrets/webhookSecret.ts';
import { WEBHOOK_KEY } from '../../support/bitbucketEngine.ts';
import { createWebhookBench, type WebhookSituation, WORKSPACES } from '../../support/webhookSituation.ts';

let bench: Awaited<ReturnType<typeof createWebhookBench>>;
beforeAll(async () => {
  bench = await createWebhookBench();
});
afterEach(() => bench.clear());
afterAll(() => bench.close());

const ACME = '/workspaces/acme-rockets';

const rightOf = (user: string, right: string | null, workspace = 'acme-rockets') =>
  bench.simulator.mutate({ kind: 'user.right', user, workspace, right });
const happened = async (of: WebhookSituation) =>
  (await of.audit()).filter(({ action }) => /^webhook_(restored|lost)$/.test(action));
const storedOf = async (of: WebhookSituation, name: string) =>
  (await of.stored()).find((hook) => hook.name === name);

/** The secrets that were sent to the host, in order. */
async function sentSecrets(work: () => Promise<unknown>): Promise<string[]> {
  const original = globalThis.fetch;
  const secrets: string[] = [];
  globalThis.fetch = (input, init) => {
    if (typeof init?.body === 'string' && init.body.includes('"secret"')) {
      secrets.push((JSON.parse(init.body) as { secret: string }).secret);
    }
    return original(input, init);
  };
  try {
    await work();
  } finally {
    globalThis.fetch = original;
  }
  return secrets;
}

describe('the hourly look', () => {
  it('a hook that was removed at Bitbucket is set up again, and that is told', async () => {
    const acme = await bench.registered();
    const [hook] = await acme.hooksAt(ACME);
    await acme.asOwner('DELETE', `${ACME}/hooks/${encodeURIComponent(hook?.uuid ?? '')}`);
    await acme.round();
    const [again, ...others] = await acme.hooksAt(ACME);
    expect(others).toEqual([]);
    expect(again?.uuid).not.toBe(hook?.uuid);
    expect(again?.url).toBe(hook?.url);
    expect(await storedOf(acme, 'acme-rockets')).toMatchObject({
      state: 'active',
      provider_uuid: again?.uuid,
    });
    expect(await happened(acme)).toEqual([
      { action: 'webhook_restored', details: { scope: 'workspace', name: 'acme-rockets', was: 'missing' } },
    ]);
  });

  it('one that was disabled is enabled, one whose events or address were changed is put right', async () => {
    const acme = await bench.registered();
    const [hook] = await acme.hooksAt(ACME);
    const at = `${ACME}/hooks/${encodeURIComponent(hook?.uuid ?? '')}`;
    await acme.asOwner('PUT', at, { active: false, events: ['repo:push'] });
    await acme.round();
    expect(await acme.hooksAt(ACME)).toEqual([hook]);
    expect(await happened(acme)).toMatchObject([
      { action: 'webhook_restored', details: { was: 'inactive' } },
    ]);
    await acme.asOwner('PUT', at, {
      url: hook?.url.replace('127.0.0.1', 'old.example.com'),
      secret: null,
    });
    await acme.round();
    expect(await acme.hooksAt(ACME)).toEqual([hook]);
    const since = bench.mark();
    await acme.round();
    expect(bench.writes(since)).toEqual([]);
  });

  it('a hook tells of changes since it stands as it does: until it is mended, or its events are others', async () => {
    const acme = await bench.registered();
    const standing = async () => {
      const [row] = await bench.sql<{ since: Date; missing: Date | null }[]>`
        select h.watching_since as since, h.missing_since as missing from webhooks h
        join workspaces w on w.id = h.workspace_id
        where h.integration_id = ${acme.integrationId} and h.repository_id is null and w.slug = 'acme-rockets'`;
      return row!;
    };
    const miss = () => bench.sql`update webhooks set missing_since = now(), missing_changes = 1
      where integration_id = ${acme.integrationId}`;
    const first = await standing();
    expect(first.since).toBeInstanceOf(Date);
    await miss();
    await acme.round();
    expect(await standing()).toMatchObject({ since: first.since, missing: expect.any(Date) });
    await bench.sql`update webhooks set events = '{repo:push}' where integration_id = ${acme.integrationId}`;
    await acme.round();
    const second = await standing();
    expect(second.since.getTime()).toBeGreaterThan(first.since.getTime());
    expect(second.missing).not.toBe(null);
    const [hook] = await acme.hooksAt(ACME);
    await acme.asOwner('PUT', `${ACME}/hooks/${encodeURIComponent(hook?.uuid ?? '')}`, { active: false });
    await acme.round();
    const third = await standing();
    expect(third.since.getTime()).toBeGreaterThan(second.since.getTime());
    expect(third.missing).toBe(null);
  });

  it('a mending that Bitbucket refuses leaves it flagged as what it was found to be', async () => {
    const acme = await bench.registered();
    const [hook] = await acme.hooksAt(ACME);
    await acme.asOwner('DELETE', `${ACME}/hooks/${encodeURIComponent(hook?.uuid ?? '')}`);
    bench.simulator.faults.set({
      rules: [{ match: { method: 'POST', path: '/hooks' }, fault: { kind: 'status', status: 503 } }],
    });
    await expect(acme.round()).rejects.toMatchObject({ type: 'Upstream' });
    expect(await storedOf(acme, 'acme-rockets')).toMatchObject({ state: 'missing' });
  });

  it('a workspace that was closed fails alone: the round goes on with the hooks behind it', async () => {
    const acme = await bench.registered();
    const fault = { kind: 'status', status: 410 };
    bench.simulator.faults.set({ rules: [{ match: { path: `${ACME}/hooks` }, fault }] });
    const before = bench.simulator.journal.since(0).at(-1)?.sequence ?? 0;
    await acme.round();
    expect(await storedOf(acme, 'acme-rockets')).toMatchObject({ state: 'failed' });
    const asked = bench.simulator.journal.since(before).map(({ path }) => path);
    for (const workspace of WORKSPACES) expect(asked.join(' ')).toContain(`${workspace}/hooks`);
  });

  it('two in a row that are never answered have the round wait for a while, not for good', async () => {
    const acme = await bench.registered();
    const match = { method: 'GET', path: '/workspaces/[^/]+/hooks' };
    bench.simulator.faults.set({ rules: [{ match, fault: { kind: 'status', status: 503 } }] });
    let cursor: string | null = null;
    let waits = 0;
    do {
      expect(waits).toBeLessThan(8);
      const chunk: Awaited<ReturnType<typeof acme.chunk>> | undefined = await acme
        .chunk(cursor)
        .catch((error: unknown) => {
          expect(error).toMatchObject({ type: 'Upstream' });
          return undefined;
        });
      // A first attempt again, as behind a wait: the same chunk.
      if (chunk === undefined) continue;
      ({ cursor } = chunk);
      if (chunk.limited === undefined) continue;
      expect(chunk.limited.why).toBe('Bitbucket does not answer');
      waits += 1;
      await bench.sql`delete from request_limits`;
    } while (cursor !== null);
    expect(waits).toBeGreaterThan(0);
    for (const name of ['acme-rockets', 'globex']) {
      expect(await storedOf(acme, name)).toMatchObject({
        state: 'failed',
        last_error: { code: 'upstream_error' },
      });
    }
  });

  it('administration that was lost is flagged with the remedy; given back, the same hook goes on', async () => {
    const acme = await bench.registered();
    const [hook] = await acme.hooksAt(ACME);
    await rightOf('ada-admin', 'member');
    await acme.round();
    const lost = await storedOf(acme, 'acme-rockets');
    expect(lost).toMatchObject({
      state: 'not_allowed',
      provider_uuid: hook?.uuid,
      last_error: { code: 'admin_lost', remedy: expect.stringContaining('administrator') },
    });
    // What still comes from it is taken: the secret is unchanged.
    expect(await acme.received(lost?.token ?? '')).toMatchObject({ generation: 1 });
    expect(await happened(acme)).toMatchObject([{ action: 'webhook_lost', details: { code: 'admin_lost' } }]);
    await acme.round();
    expect(await happened(acme)).toHaveLength(1);
    await rightOf('ada-admin', 'owner');
    await acme.round();
    expect(await acme.hooksAt(ACME)).toEqual([hook]);
    expect(await storedOf(acme, 'acme-rockets')).toMatchObject({ state: 'active', last_error: null });
  });

  it('administration of a repository that was lost likewise', async () => {
    const acme = await bench.registered('api_token.repository_admin');
    const grant = { kind: 'user.right', user: 'rob-repoadmin', repository: 'acme-rockets/telemetry' };
    await bench.simulator.mutate({ ...grant, right: 'read' });
    await acme.round();
    await bench.simulator.mutate({ ...grant, right: 'admin' });
    expect(await storedOf(acme, 'acme-rockets/telemetry')).toMatchObject({
      state: 'not_allowed',
      last_error: { code: 'admin_lost' },
    });
    expect(await happened(acme)).toMatchObject([
      { action: 'webhook_lost', details: { name: 'acme-rockets/telemetry' } },
    ]);
    await acme.round();
    expect(await storedOf(acme, 'acme-rockets/telemetry')).toMatchObject({ state: 'active' });
  });
});

describe('a rotation', () => {
  it('gives each hook the next secret once, and both are taken for a while', async () => {
    const acme = await bench.registered();
    const [before] = await acme.hooksAt(ACME);
    const secrets = await sentSecrets(async () => {
      await acme.command(true, { rotate: true, commandId: 'rotate-once' });
      await acme.command(true, { rotate: true, commandId: 'rotate-once' });
      await acme.round();
      await acme.round();
    });
    const { integrationId } = acme;
    const second = webhookSecret(WEBHOOK_KEY, { integrationId, generation: 2 });
    expect(secrets).toEqual(WORKSPACES.map(() => second));
    expect(await acme.hooksAt(ACME)).toEqual([before]);
    const stored = await storedOf(acme, 'acme-rockets');
    expect(stored).toMatchObject({ generation: 2, previous: 'until', state: 'active' });
    expect(await acme.received(stored?.token ?? '')).toMatchObject({ generation: 2, takesPrevious: true });
    const [{ minutes } = { minutes: 0 }] = await bench.sql<{ minutes: number }[]>`
      select extract(epoch from previous_generation_until - clock_timestamp())::float8 / 60 as minutes
      from webhooks where integration_id = ${integrationId} limit 1`;
    expect(minutes).toBeGreaterThan(58);
    expect(minutes).toBeLessThanOrEqual(60);
  });

  it.each([
    ['was refused', { kind: 'status', status: 500 }],
    ['was carried out and not answered', { kind: 'truncate', share: 0 }],
  ])('whose request %s: both are taken until Bitbucket is known to have the new one', async (_, fault) => {
    const acme = await bench.registered();
    await acme.command(true, { rotate: true });
    bench.simulator.faults.set({ rules: [{ match: { method: 'PUT', path: '/hooks' }, fault }] });
    await expect(acme.round()).rejects.toMatchObject({ retry: { kind: expect.any(String) } });
    const open = (await acme.stored()).find(({ generation }) => generation === 2);
    expect(open).toMatchObject({ previous: 'open' });
    expect(await acme.received(open?.token ?? '')).toMatchObject({ generation: 2, takesPrevious: true });
    bench.simulator.faults.clear();
    await bench.sql`delete from request_limits`;
    // Asked for once more before the first came to its end: one generation after the other.
    await acme.command(true, { rotate: true });
    const secrets = await sentSecrets(() => acme.round());
    const of = (generation: number) => webhookSecret(WEBHOOK_KEY, { ...acme, generation });
    expect(secrets.filter((secret) => secret === of(2))).toHaveLength(2);
    expect(secrets.filter((secret) => secret === of(3))).toHaveLength(2);
    for (const hook of await acme.stored()) expect(hook).toMatchObject({ generation: 3, previous: 'until' });
  });
});

describe('a repository that refuses its hook (403)', () => {
  const OWN = 'acme-rockets/flight-control';
  const TELEMETRY = 'acme-rockets/telemetry';
  const refuseHooks = () =>
    bench.simulator.faults.set({
      rules: [{ match: { path: '/hooks' }, fault: { kind: 'status', status: 403 } }],
    });
  /** As if it had refused so long ago: whether the next round asks again, and what the row says before. */
  async function refusedFor(acme: WebhookSituation, name: string, hours: number) {
    await bench.sql`update webhooks set last_checked_at = clock_timestamp() - make_interval(hours => ${hours})
      where integration_id = ${acme.integrationId}`;
    return { ...(await storedOf(acme, name)), again: await asksAgain(acme) };
  }
  async function asksAgain(acme: WebhookSituation): Promise<boolean> {
    const since = bench.mark();
    await acme.round();
    return bench.asked(since).some((one) => /^GET \/2\.0\/repositories\/.*\/hooks$/.test(one));
  }
  const REST = `tried again after ${REFUSED_HOOK_RESTS_HOURS} hours`;
  const HOUR = 'tried again within the hour';

  it.each([
    ['that it never had', false, 'not_repository_admin'],
    ['that it had', true, 'admin_lost'],
  ])(
    'to an access token is asked again after the time that the remedy says: a hook %s',
    async (_, had, code) => {
      const acme = await bench.situation('access_token.repository', (name) => name === OWN);
      await acme.command(true);
      if (had) await acme.round();
      refuseHooks();
      await acme.round();
      const early = await refusedFor(acme, OWN, REFUSED_HOOK_RESTS_HOURS - 1);
      expect(early).toMatchObject({ state: 'not_allowed', again: false });
      expect(early.last_error).toMatchObject({ code, remedy: expect.stringContaining(REST) });
      expect(early.last_error?.remedy).not.toContain('the hour');
      expect(await refusedFor(acme, OWN, REFUSED_HOOK_RESTS_HOURS + 1)).toMatchObject({ again: true });
      expect((await storedOf(acme, OWN))?.last_error).toEqual(early.last_error);
      await acme.command(true);
      expect(await asksAgain(acme)).toBe(true);
    },
  );

  it('to an account that is listed as its administrator is asked again with the next round, and so it says', async () => {
    const acme = await bench.situation('api_token.repository_admin', (name) => name === TELEMETRY);
    await acme.command(true);
    refuseHooks();
    await acme.round();
    const refused = await refusedFor(acme, TELEMETRY, 1);
    expect(refused).toMatchObject({ state: 'not_allowed', again: true });
    expect(refused.last_error).toMatchObject({
      code: 'not_repository_admin',
      remedy: expect.stringContaining(HOUR),
    });
    expect(refused.last_error?.remedy).not.toContain(REST);
  });

  it('and one of a workspace is asked for with each round, also by an access token', async () => {
    const acme = await bench.situation('access_token.workspace', () => false);
    await acme.command(true);
    refuseHooks();
    await acme.round();
    const since = bench.mark();
    await acme.round();
    expect(bench.asked(since)).toContain(`GET /2.0${ACME}/hooks`);
    expect((await storedOf(acme, 'acme-rockets'))?.last_error).toMatchObject({
      code: 'not_workspace_admin',
      remedy: expect.stringContaining(HOUR),
    });
  });
});
