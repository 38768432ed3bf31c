import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { inActivity } from '../../support/bitbucketEngine.ts';
import { createWebhookBench, type WebhookSituation, WORKSPACES } from '../../support/webhookSituation.ts';

let bench: Awaited<ReturnType<typeof createWebhookBench>>;
beforeAll(async () => {
  bench = await createWebhookBench();
});
afterEach(() => bench.clear());
afterAll(() => bench.close());

const ACME = '/workspaces/acme-rockets';
const TELEMETRY = '/repositories/acme-rockets/telemetry';
const isAcme = (fullName: string): boolean => fullName.startsWith('acme-rockets/');
/** No fault is played any more, and Bitbucket may be asked at once. */
const over = async () => {
  bench.simulator.faults.clear();
  await bench.sql`delete from request_limits`;
};

/** What a person was told of hooks that stay at Bitbucket, by name. */
const left = async (of: WebhookSituation) =>
  (await of.audit())
    .filter(({ action }) => action === 'webhook_left')
    .map(({ details }) => details)
    .toSorted((one, other) => (String(one['name']) < String(other['name']) ? -1 : 1));

describe('removing webhooks', () => {
  it('takes them away at Bitbucket and here; registered again they are new ones', async () => {
    const acme = await bench.registered();
    const [{ token } = { token: '' }] = await acme.stored();
    await acme.command(false);
    expect(await acme.round()).toMatchObject({ more: false, off: true });
    expect(await acme.hooksAt(ACME)).toEqual([]);
    expect(await acme.stored()).toEqual([]);
    expect(await left(acme)).toEqual([]);
    expect(await acme.received(token)).toBeNull();
    await acme.command(true);
    await acme.round();
    expect(await acme.hooksAt(ACME)).toHaveLength(1);
    expect((await acme.stored())[0]?.token).not.toBe(token);
  });

  it('deliveries of a hook go some thousand at a time', async () => {
    const acme = await bench.registered();
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

  const refuse = (fault: object) => () => {
    bench.simulator.faults.set({ rules: [{ match: { path: '/hooks' }, fault }] });
    return Promise.resolve({});
  };

  describe('a hook whose creation was not answered goes', () => {
    /** A round whose creation is carried out, and not answered. */
    const createUnheard = async (acme: WebhookSituation) => {
      const match = { method: 'POST', path: '/hooks' };
      bench.simulator.faults.set({ rules: [{ match, fault: { kind: 'truncate', share: 0 } }] });
      await expect(acme.round()).rejects.toMatchObject({ type: 'Unreachable' });
      await over();
      expect(await everyHook(acme)).toHaveLength(1);
    };
    const everyHook = async (acme: WebhookSituation) =>
      (await Promise.all(WORKSPACES.map((subject) => acme.hooksAt(subject)))).flat();
    const expectAllRemoved = async (acme: WebhookSituation) => {
      await acme.command(false);
      await acme.round();
      expect(await everyHook(acme)).toEqual([]);
      expect(await acme.stored()).toEqual([]);
    };

    it('as well', async () => {
      const acme = await bench.situation('api_token.admin', isAcme);
      await acme.command(true);
      await createUnheard(acme);
      await expectAllRemoved(acme);
    });

    it('also where the account was refused meanwhile', async () => {
      const acme = await bench.situation('api_token.admin', isAcme);
      await acme.command(true);
      await createUnheard(acme);
      await refuse({ kind: 'status', status: 403 })();
      await acme.round();
      await over();
      await expectAllRemoved(acme);
    });

    it('also where it took the place of one that somebody had deleted', async () => {
      const acme = await bench.registered();
      for (const subject of WORKSPACES) {
        const [hook] = await acme.hooksAt(subject);
        await acme.asOwner('DELETE', `${subject}/hooks/${encodeURIComponent(hook?.uuid ?? '')}`);
      }
      await createUnheard(acme);
      await expectAllRemoved(acme);
    });
  });

  it('that begins while a round looks: what the round finds missing is not created', async () => {
    const acme = await bench.situation('api_token.admin', isAcme);
    await acme.command(true);
    const original = globalThis.fetch;
    globalThis.fetch = async (input, init) => {
      const answer = await original(input, init);
      if (init?.method === 'GET')
        await bench.sql`update webhooks set state = 'removing' where integration_id = ${acme.integrationId}`;
      return answer;
    };
    const since = bench.mark();
    await acme.round().finally(() => (globalThis.fetch = original));
    expect(bench.writes(since)).toEqual([]);
  });

  it.each([
    [
      'rights that were lost',
      () =>
        bench.simulator.mutate({
          kind: 'user.right',
          user: 'ada-admin',
          workspace: 'acme-rockets',
          right: 'member',
        }),
      [{ name: 'acme-rockets', code: 'forbidden' }],
    ],
    [
      'a credential that is refused',
      refuse({ kind: 'brownout' }),
      [
        { name: 'acme-rockets', code: 'invalid_credentials' },
        { name: 'globex', code: 'invalid_credentials' },
      ],
    ],
    ['hooks that are gone already', refuse({ kind: 'status', status: 404 }), []],
    ['workspaces that were closed', refuse({ kind: 'status', status: 410 }), []],
  ])('lets go of what is out of reach, and tells of what stays there: %s', async (_, lose, why) => {
    const acme = await bench.registered();
    await lose();
    await acme.command(false);
    expect(await acme.round()).toMatchObject({ off: true });
    expect(await acme.stored()).toEqual([]);
    expect(await left(acme)).toMatchObject(why);
  });

  describe('while Bitbucket does not answer', () => {
    const outage = { kind: 'status', status: 503 };
    const expectWait = (limited?: { until: string; why: string }) => {
      expect(limited).toMatchObject({ why: 'Bitbucket does not answer' });
      expect(Date.parse(limited?.until ?? '')).toBeGreaterThan(Date.now() + 60_000);
    };

    it('for good: goes on with the others, keeps the row, and says when to ask again', async () => {
      const acme = await bench.registered('api_token.admin', () => true);
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

    it.each([
      ['a workspace', 'api_token.admin', ACME],
      ['a repository', 'api_token.repository_admin', TELEMETRY],
    ])(
      'because none are wanted: the round waits, and that of %s wanted again is kept',
      async (_, who, at) => {
        const acme = await bench.registered(who);
        const [hook] = await acme.hooksAt(at);
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
        const working = (rows: typeof before) => rows.filter(({ state }) => state === 'active');
        const tokens = (rows: typeof before) => working(rows).map(({ token }) => token);
        expect(tokens(await acme.stored())).toEqual(tokens(before));
        expect(await acme.hooksAt(at)).toEqual([hook]);
      },
    );
  });

  it('without a credential there is nobody to ask, and nothing is left here', async () => {
    const acme = await bench.registered();
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
    expect(await left(acme)).toMatchObject([
      { name: 'acme-rockets', code: 'no_credential' },
      { name: 'globex', code: 'no_credential' },
    ]);
    // An integration that is being deleted registers none again.
    expect(await acme.round()).toMatchObject({ off: true });
  });

  it('of one repository: its own hook only', async () => {
    const acme = await bench.registered('api_token.repository_admin');
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

  it('of a repository that moved to another workspace a moment ago: it goes there', async () => {
    const acme = await bench.registered('api_token.repository_admin');
    const moved = 'globex/telemetry';
    const [repository, workspace] = ['acme-rockets/telemetry', 'globex'];
    await bench.simulator.mutate({ kind: 'repository.transfer', repository, workspace });
    await bench.simulator.mutate({
      kind: 'user.right',
      user: 'rob-repoadmin',
      repository: moved,
      right: 'admin',
    });
    expect(await acme.hooksAt(`/repositories/${moved}`)).toHaveLength(1);
    await acme.command(false);
    await acme.round();
    expect(await acme.hooksAt(`/repositories/${moved}`)).toEqual([]);
  });
});
