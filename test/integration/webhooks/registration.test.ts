import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { inActivity } from '../../support/bitbucketEngine.ts';
import {
  createWebhookBench,
  REPOSITORIES,
  type WebhookSituation,
  WORKSPACES,
} from '../../support/webhookSituation.ts';

let bench: Awaited<ReturnType<typeof createWebhookBench>>;
beforeAll(async () => {
  bench = await createWebhookBench();
});
afterEach(() => bench.clear());
afterAll(() => bench.close());

const TELEMETRY = '/repositories/acme-rockets/telemetry';

const verdicts = async (of: WebhookSituation) =>
  Object.fromEntries((await of.stored()).map(({ name, state }) => [name, state]));

describe('registering webhooks', () => {
  it('as administrator of the workspaces: one hook each, and none for their repositories', async () => {
    const acme = await bench.situation('api_token.admin');
    await acme.command(true);
    const since = bench.mark();
    await acme.round();
    // Two lists of events, one of workspaces; then list and create for each of the two.
    expect(bench.asked(since)).toHaveLength(3 + 2 * 2);
    expect(await verdicts(acme)).toEqual({ 'acme-rockets': 'active', globex: 'active' });
    const [stored] = await acme.stored();
    const [hook, ...others] = await acme.hooksAt('/workspaces/acme-rockets');
    expect(others).toEqual([]);
    expect(hook).toMatchObject({
      uuid: stored?.provider_uuid,
      url: `http://127.0.0.1:4400/v1/webhooks/bitbucket/${stored?.token ?? ''}`,
      active: true,
      secret_set: true,
    });
    expect(new Set(hook?.events)).toEqual(new Set(stored?.events));
    expect(hook?.events).toEqual(
      expect.arrayContaining(['repo:push', 'repo:created', 'pullrequest:fulfilled']),
    );
    for (const event of hook?.events ?? []) expect(event).not.toMatch(/^issue:|fork|status|pipeline/);
    for (const subject of REPOSITORIES) expect(await acme.hooksAt(subject), subject).toEqual([]);
  });

  it('again changes nothing at Bitbucket, and is one list a hook', async () => {
    const acme = await bench.situation('api_token.admin');
    await acme.command(true);
    await acme.round();
    const before = await acme.stored();
    await acme.command(true);
    const since = bench.mark();
    await acme.round();
    expect(bench.writes(since)).toEqual([]);
    expect(bench.asked(since)).toHaveLength(3 + 2);
    expect(await acme.stored()).toEqual(before);
  });

  it('as administrator of one repository: its own hook; the others by polling, with the remedy', async () => {
    const acme = await bench.situation('api_token.repository_admin', (name) =>
      name.startsWith('acme-rockets/'),
    );
    await acme.command(true);
    const since = bench.mark();
    await acme.round();
    expect(bench.asked(since)).toHaveLength(3 + 1 + 2);
    expect(await verdicts(acme)).toMatchObject({
      'acme-rockets': 'not_allowed',
      'acme-rockets/telemetry': 'active',
      'acme-rockets/launch-scripts': 'not_allowed',
    });
    const other = (await acme.stored()).find(({ name }) => name === 'acme-rockets/launch-scripts');
    expect(other?.last_error).toMatchObject({
      code: 'not_repository_admin',
      remedy: expect.stringContaining('administrator'),
    });
    const [hook] = await acme.hooksAt(TELEMETRY);
    // What is told of a whole workspace only, no hook of a repository may ask for.
    expect(hook?.events).toContain('repo:updated');
    expect(hook?.events).not.toContain('repo:created');
  });

  it('without any right: polling, for a handful of requests', async () => {
    const acme = await bench.situation('api_token.member');
    await acme.command(true);
    const since = bench.mark();
    await acme.round();
    const found = await acme.stored();
    expect(found.length).toBeGreaterThan(2);
    for (const { state, last_error } of found) {
      expect([state, last_error?.code]).toEqual([
        'not_allowed',
        expect.stringMatching(/^not_(workspace|repository)_admin$/),
      ]);
    }
    // Events, the list of workspaces, and for each workspace whether any repository is administered.
    expect(bench.asked(since)).toHaveLength(3 + 2);
  });

  it('with a credential that lacks the scopes: said once, and no repository is asked', async () => {
    const acme = await bench.situation('api_token.excess');
    await bench.simulator.mutate({
      kind: 'user.right',
      user: 'import-service',
      workspace: 'globex',
      right: 'owner',
    });
    await acme.command(true);
    const since = bench.mark();
    await acme.round();
    await bench.simulator.mutate({
      kind: 'user.right',
      user: 'import-service',
      workspace: 'globex',
      right: 'member',
    });
    const globex = (await acme.stored()).filter(({ name }) => name.startsWith('globex'));
    expect(globex.length).toBeGreaterThan(1);
    for (const { name, last_error } of globex) {
      expect(last_error, name).toMatchObject({
        code: 'missing_scopes',
        remedy: expect.stringContaining('token'),
      });
    }
    expect(bench.asked(since).filter((one) => /repositories\/(globex|.*\/hooks)/.test(one))).toEqual([]);
  });

  it.each([
    ['access_token.workspace', { 'acme-rockets': 'active' }],
    ['access_token.project', { 'acme-rockets': 'not_allowed', 'acme-rockets/flight-control': 'active' }],
    ['access_token.repository', { 'acme-rockets': 'not_allowed', 'acme-rockets/flight-control': 'active' }],
  ])('as %s, which cannot ask for its rights', async (credential, expected) => {
    const acme = await bench.situation(credential);
    await acme.command(true);
    await acme.round();
    expect(await verdicts(acme)).toMatchObject(expected);
  });

  it('subscribes to what the services need, and follows them', async () => {
    const acme = await bench.situation('api_token.admin');
    await acme.command(true);
    await acme.round();
    await bench.sql`update integrations set services = '{repositories}' where id = ${acme.integrationId}`;
    await acme.round();
    const [hook] = await acme.hooksAt('/workspaces/globex');
    expect(hook?.events).toContain('repo:push');
    expect(hook?.events.filter((event) => event.startsWith('pullrequest:'))).toEqual([]);
  });

  it('moves from the repositories to the workspace when the account becomes its administrator', async () => {
    const acme = await bench.situation('api_token.repository_admin', (name) =>
      name.startsWith('acme-rockets/'),
    );
    await acme.command(true);
    await acme.round();
    expect(await acme.hooksAt(TELEMETRY)).toHaveLength(1);
    await bench.simulator.mutate({
      kind: 'user.right',
      user: 'rob-repoadmin',
      workspace: 'acme-rockets',
      right: 'owner',
    });
    await acme.round();
    await bench.simulator.mutate({
      kind: 'user.right',
      user: 'rob-repoadmin',
      workspace: 'acme-rockets',
      right: 'member',
    });
    expect(await acme.hooksAt('/workspaces/acme-rockets')).toHaveLength(1);
    expect(await acme.hooksAt(TELEMETRY)).toEqual([]);
    expect(await verdicts(acme)).toEqual({ 'acme-rockets': 'active' });
  });

  it('a repository that is imported later gets its hook, one that is no longer the integration’s loses it', async () => {
    const acme = await bench.situation('api_token.repository_admin', () => false);
    await acme.command(true);
    await acme.round();
    expect(await acme.hooksAt(TELEMETRY)).toEqual([]);
    const id = acme.repositoryId('acme-rockets/telemetry');
    await bench.sql`update repositories set integration_id = ${acme.integrationId} where id = ${id}`;
    await acme.round();
    expect(await acme.hooksAt(TELEMETRY)).toHaveLength(1);
    await bench.sql`update repositories set integration_id = null where id = ${id}`;
    await acme.round();
    expect(await acme.hooksAt(TELEMETRY)).toEqual([]);
    expect(Object.keys(await verdicts(acme))).toEqual(['acme-rockets']);
  });

  it('does nothing while the integration is paused, and says why where there is no address to deliver to', async () => {
    const acme = await bench.situation('api_token.admin');
    await acme.command(true);
    await bench.sql`update integrations set state = 'paused' where id = ${acme.integrationId}`;
    const since = bench.mark();
    expect(await acme.round()).toMatchObject({ more: false, off: false, steps: 0, resting: 'paused' });
    expect(bench.asked(since)).toEqual([]);
    await bench.sql`update integrations set state = 'active' where id = ${acme.integrationId}`;
    const nowhere = bench.engineWithoutReceiver();
    const { organizationId, integrationId } = acme;
    await expect(
      inActivity(() => nowhere.webhooks.keepWebhooksChunk({ organizationId, integrationId, cursor: null })),
    ).rejects.toMatchObject({ type: 'WebhooksUnavailable', finding: { code: 'webhooks_unavailable' } });
    await nowhere.end();
    expect(bench.asked(since)).toEqual([]);
  });
});

describe('never doubles', () => {
  it.each([
    ['silent', { kind: 'silence' }],
    ['cut off', { kind: 'truncate', share: 0 }],
  ])('a creation that was carried out but whose answer was %s', async (_, fault) => {
    const acme = await bench.situation('api_token.admin');
    await acme.command(true);
    bench.simulator.faults.set({ rules: [{ match: { method: 'POST', path: '/hooks' }, nth: 1, fault }] });
    await expect(acme.round()).rejects.toMatchObject({
      retry: { kind: expect.stringMatching(/always|limited/) },
    });
    const subjects = await Promise.all(WORKSPACES.map((subject) => acme.hooksAt(subject)));
    expect(subjects.flat()).toHaveLength(1);
    await acme.round();
    for (const subject of WORKSPACES) expect(await acme.hooksAt(subject), subject).toHaveLength(1);
    const stored = await acme.stored();
    expect(stored.map(({ state, last_error }) => [state, last_error])).toEqual([
      ['active', null],
      ['active', null],
    ]);
  });

  it('two runs at the same moment: each lists nothing and creates, and one hook stays', async () => {
    const acme = await bench.situation('api_token.admin');
    await acme.command(true);
    // Both have listed before either has created.
    bench.simulator.faults.set({
      rules: [{ match: { method: 'POST', path: '/hooks' }, fault: { kind: 'delay', ms: 300 } }],
    });
    const since = bench.mark();
    await Promise.all([acme.round(), acme.round(), acme.round()]);
    const created = bench.writes(since).filter((one) => one.startsWith('POST'));
    expect(created.length).toBeGreaterThan(WORKSPACES.length);
    const stored = await acme.stored();
    for (const [index, subject] of WORKSPACES.entries()) {
      const hooks = await acme.hooksAt(subject);
      expect(hooks.map(({ uuid }) => uuid)).toEqual([stored[index]?.provider_uuid]);
    }
  });

  it('hooks of ours that are there already are taken over, a second one is removed, others stay', async () => {
    const acme = await bench.situation('api_token.admin');
    await acme.command(true);
    await acme.round();
    const [ours] = await acme.hooksAt('/workspaces/globex');
    const foreign = { url: 'https://elsewhere.example.com/hook', events: ['repo:push'], active: true };
    await acme.asOwner('POST', '/workspaces/globex/hooks', foreign);
    await acme.asOwner('POST', '/workspaces/globex/hooks', { ...foreign, url: ours?.url });
    // As when the answer to its creation was lost, and the row knows of no hook.
    await bench.sql`update webhooks set provider_uuid = null, state = 'missing' where integration_id = ${acme.integrationId}`;
    await acme.round();
    const hooks = await acme.hooksAt('/workspaces/globex');
    expect(new Set(hooks.map(({ url }) => url))).toEqual(new Set([ours?.url, foreign.url]));
    expect(hooks).toHaveLength(2);
    expect((await acme.stored()).map(({ state }) => state)).toEqual(['active', 'active']);
  });
});

describe('a limit or a failure of Bitbucket', () => {
  it('a limit: says until when, and goes on from the same place', async () => {
    const acme = await bench.situation('api_token.admin');
    await acme.command(true);
    bench.simulator.faults.set({
      rules: [
        {
          match: { method: 'POST', path: '/hooks' },
          nth: 2,
          fault: { kind: 'rate_limit', retry_after: 'seconds', seconds: 120 },
        },
      ],
    });
    const limited = await acme.round();
    expect(limited).toMatchObject({ more: true, limited: { why: expect.any(String) } });
    expect(Date.parse(limited.limited?.until ?? '')).toBeGreaterThan(Date.now() + 60_000);
    await bench.sql`delete from request_limits`;
    const since = bench.mark();
    for (let { cursor } = limited; ; ) {
      const next = await acme.chunk(cursor);
      if (!next.more) break;
      ({ cursor } = next);
    }
    expect(bench.writes(since)).toHaveLength(1);
    for (const subject of WORKSPACES) expect(await acme.hooksAt(subject), subject).toHaveLength(1);
  });

  it('an address that Bitbucket does not take: failed with the remedy, and the others go on', async () => {
    const acme = await bench.situation('api_token.admin');
    await acme.command(true);
    const body = JSON.stringify({
      type: 'error',
      error: { message: 'Bad request', fields: { url: ['no'] } },
    });
    bench.simulator.faults.set({
      rules: [
        {
          match: { method: 'POST', path: '/workspaces/acme-rockets/hooks' },
          fault: { kind: 'status', status: 400, body, content_type: 'application/json' },
        },
      ],
    });
    await acme.round();
    expect(await verdicts(acme)).toEqual({ 'acme-rockets': 'failed', globex: 'active' });
    expect((await acme.stored())[0]?.last_error).toMatchObject({ code: 'webhook_url_refused' });
  });
});
