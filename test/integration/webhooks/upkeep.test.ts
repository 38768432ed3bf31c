import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { webhookSecret } from '../../../platform/secrets/webhookSecret.ts';
import { inActivity, WEBHOOK_KEY } from '../../support/bitbucketEngine.ts';
import { createWebhookBench, type WebhookSituation, WORKSPACES } from '../../support/webhookSituation.ts';

let bench: Awaited<ReturnType<typeof createWebhookBench>>;
beforeAll(async () => {
  bench = await createWebhookBench();
});
afterEach(() => bench.clear());
afterAll(() => bench.close());

const ACME = '/workspaces/acme-rockets';
const TELEMETRY = '/repositories/acme-rockets/telemetry';
const inAcme = (name: string) => name.startsWith('acme-rockets/');

const registered = async (credential = 'api_token.admin', imported = inAcme) => {
  const acme = await bench.situation(credential, imported);
  await acme.command(true);
  await acme.round();
  return acme;
};
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
    const acme = await registered();
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
    const acme = await registered();
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

  it('a mending that Bitbucket refuses leaves it flagged as what it was found to be', async () => {
    const acme = await registered();
    const [hook] = await acme.hooksAt(ACME);
    await acme.asOwner('DELETE', `${ACME}/hooks/${encodeURIComponent(hook?.uuid ?? '')}`);
    bench.simulator.faults.set({
      rules: [{ match: { method: 'POST', path: '/hooks' }, fault: { kind: 'status', status: 503 } }],
    });
    await expect(acme.round()).rejects.toMatchObject({ type: 'Upstream' });
    expect(await storedOf(acme, 'acme-rockets')).toMatchObject({ state: 'missing' });
  });

  it('a workspace that was closed fails alone: the round goes on with the hooks behind it', async () => {
    const acme = await registered();
    const fault = { kind: 'status', status: 410 };
    bench.simulator.faults.set({ rules: [{ match: { path: `${ACME}/hooks` }, fault }] });
    const before = bench.simulator.journal.since(0).at(-1)?.sequence ?? 0;
    await acme.round();
    expect(await storedOf(acme, 'acme-rockets')).toMatchObject({ state: 'failed' });
    const asked = bench.simulator.journal.since(before).map(({ path }) => path);
    for (const workspace of WORKSPACES) expect(asked.join(' ')).toContain(`${workspace}/hooks`);
  });

  it('two in a row that are never answered have the round wait for a while, not for good', async () => {
    const acme = await registered();
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
    const acme = await registered();
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
    const acme = await registered('api_token.repository_admin');
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
    const acme = await registered();
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
    const acme = await registered();
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

describe('removing webhooks', () => {
  it('takes them away at Bitbucket and here; registered again they are new ones', async () => {
    const acme = await registered();
    const [{ token } = { token: '' }] = await acme.stored();
    await acme.command(false);
    expect(await acme.round()).toMatchObject({ more: false, off: true });
    expect(await acme.hooksAt(ACME)).toEqual([]);
    expect(await acme.stored()).toEqual([]);
    expect(await acme.received(token)).toBeNull();
    await acme.command(true);
    await acme.round();
    expect(await acme.hooksAt(ACME)).toHaveLength(1);
    expect((await acme.stored())[0]?.token).not.toBe(token);
  });

  it('deliveries of a hook go some thousand at a time', async () => {
    const acme = await registered();
    const [hook] = await acme.stored();
    await bench.sql`insert into webhook_deliveries (organization_id, id, webhook_id, integration_id, event_key, body, received_on)
      select organization_id, gen_random_uuid(), id, integration_id, 'repo:push', '', now()::date
      from webhooks, generate_series(1, 11000) where token = ${hook?.token ?? ''}`;
    await bench.sql.unsafe(`create table deletions (rows integer);
      create function note_deletion() returns trigger language plpgsql security definer as
        'begin insert into deletions select count(*) from gone; return null; end';
      create trigger note_deletion after delete on webhook_deliveries referencing old table as gone
        for each statement execute function note_deletion();`);
    await acme.command(false);
    await acme.round();
    expect(await acme.stored()).toEqual([]);
    const deletions = await bench.sql<
      { rows: number }[]
    >`select rows from deletions where rows > 0 order by rows`;
    expect(deletions.map(({ rows }) => rows)).toEqual([1_000, 5_000, 5_000]);
    await bench.sql`drop function note_deletion cascade`;
  });

  it('a hook whose creation was not answered goes as well', async () => {
    const acme = await bench.situation('api_token.admin', inAcme);
    await acme.command(true);
    bench.simulator.faults.set({
      rules: [{ match: { method: 'POST', path: '/hooks' }, fault: { kind: 'truncate', share: 0 } }],
    });
    await expect(acme.round()).rejects.toMatchObject({ type: 'Unreachable' });
    expect((await Promise.all(WORKSPACES.map((subject) => acme.hooksAt(subject)))).flat()).toHaveLength(1);
    await acme.command(false);
    await acme.round();
    expect((await Promise.all(WORKSPACES.map((subject) => acme.hooksAt(subject)))).flat()).toEqual([]);
    expect(await acme.stored()).toEqual([]);
  });

  const refuse = (fault: object) => () => {
    bench.simulator.faults.set({ rules: [{ match: { path: '/hooks' }, fault }] });
    return Promise.resolve({});
  };
  it.each([
    ['rights that were lost', () => rightOf('ada-admin', 'member')],
    ['a credential that is refused', refuse({ kind: 'brownout' })],
    ['hooks that are gone already', refuse({ kind: 'status', status: 404 })],
    ['workspaces that were closed', refuse({ kind: 'status', status: 410 })],
  ])('lets go of what is out of reach: %s', async (_, lose) => {
    const acme = await registered();
    await lose();
    await acme.command(false);
    expect(await acme.round()).toMatchObject({ off: true });
    expect(await acme.stored()).toEqual([]);
  });

  describe('while Bitbucket does not answer', () => {
    const outage = { kind: 'status', status: 503 };
    const expectWait = (limited?: { until: string; why: string }) => {
      expect(limited).toMatchObject({ why: 'Bitbucket does not answer' });
      expect(Date.parse(limited?.until ?? '')).toBeGreaterThan(Date.now() + 60_000);
    };
    const over = async () => {
      bench.simulator.faults.clear();
      await bench.sql`delete from request_limits`;
    };

    it('for good: goes on with the others, keeps the row, and says when to ask again', async () => {
      const acme = await registered('api_token.admin', () => true);
      const match = { method: 'DELETE', path: `${ACME}/hooks` };
      bench.simulator.faults.set({ rules: [{ match, fault: outage }] });
      const { organizationId, integrationId } = acme;
      const removing = { organizationId, integrationId, repositoryId: null };
      const remove = (attempt: number) =>
        inActivity(() => bench.engine.webhooks.removeWebhooks(removing), { attempt });
      // A chunk has one step here: one has the hook that fails, the other the one that does not.
      const chunks = [await remove(5), await remove(5)];
      expect(new Set(chunks.map(({ removed }) => removed))).toEqual(new Set([0, 1]));
      expect(chunks.at(-1)).toMatchObject({ left: 1 });
      expectWait(chunks.find(({ removed }) => removed === 0)?.limited);
      expect(await acme.stored()).toMatchObject([
        { name: 'acme-rockets', state: 'removing', last_error: { code: 'upstream_error' } },
      ]);
      await expect(remove(1)).rejects.toMatchObject({ type: 'Upstream' });
      await over();
      expect(await remove(1)).toEqual({ left: 0, removed: 1, outOfReach: 0 });
      expect(await acme.hooksAt(ACME)).toEqual([]);
    });

    it('because none are wanted: the round waits, and hooks that are wanted again meanwhile are kept', async () => {
      const acme = await registered();
      const before = await acme.stored();
      bench.simulator.faults.set({ rules: [{ match: { method: 'DELETE' }, fault: outage }] });
      await acme.command(false);
      const waits = await acme.chunk(null, { attempt: 5 });
      expect(waits).toMatchObject({ more: true, off: false });
      expectWait(waits.limited);
      await over();
      await acme.command(true);
      const since = bench.mark();
      for (let { cursor } = waits; cursor !== null; ) ({ cursor } = await acme.chunk(cursor));
      expect(bench.writes(since).filter((one) => !one.startsWith('PUT'))).toEqual([]);
      expect((await acme.stored()).map(({ token }) => token)).toEqual(before.map(({ token }) => token));
      expect(await acme.hooksAt(ACME)).toHaveLength(1);
    });
  });

  it('without a credential there is nobody to ask, and nothing is left here', async () => {
    const acme = await registered();
    await bench.sql`update integrations set credential_id = null where id = ${acme.integrationId}`;
    const since = bench.mark();
    const { organizationId, integrationId } = acme;
    const removing = { organizationId, integrationId, repositoryId: null };
    let result;
    do result = await inActivity(() => bench.engine.webhooks.removeWebhooks(removing));
    while (result.left > 0);
    expect(result).toEqual({ left: 0, removed: 0, outOfReach: 1 });
    expect(bench.asked(since)).toEqual([]);
    expect(await acme.stored()).toEqual([]);
    // An integration that is being deleted registers none again.
    expect(await acme.round()).toMatchObject({ off: true });
  });

  it('of one repository: its own hook only', async () => {
    const acme = await registered('api_token.repository_admin');
    const { organizationId, integrationId } = acme;
    const repositoryId = acme.repositoryId('acme-rockets/telemetry');
    await bench.sql`update repositories set integration_id = null where id = ${repositoryId}`;
    expect(await acme.hooksAt(TELEMETRY)).toHaveLength(1);
    const others = (await acme.stored()).filter(({ name }) => name !== 'acme-rockets/telemetry');
    const result = await inActivity(() =>
      bench.engine.webhooks.removeWebhooks({ organizationId, integrationId, repositoryId }),
    );
    expect(result).toEqual({ left: 0, removed: 1, outOfReach: 0 });
    expect(await acme.hooksAt(TELEMETRY)).toEqual([]);
    expect(await acme.stored()).toEqual(others);
  });
});
