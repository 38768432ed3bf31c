import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { SimulatorOptions } from '../../simulator/options.ts';
import { createSimulator, type Simulator } from '../support/simulator.ts';
import { createClient, type Shown } from './client.ts';

const WORLD: NonNullable<SimulatorOptions['world']> = {
  workspaces: [{ slug: 'one', name: 'One', projects: [{ key: 'P', name: 'P' }] }],
  repositories: [
    { workspace: 'one', project: 'P', slug: 'app', pullRequests: 1, commits: 3 },
    { workspace: 'one', project: 'P', slug: 'lib', pullRequests: 0, commits: 1 },
  ],
};
const APP = '/repositories/one/app/hooks';
const BODY = { url: 'http://127.0.0.1:9/hooks/a', events: ['repo:push'], description: 'Ours', secret: 'x' };

let simulator: Simulator;
const start = async (options: Partial<SimulatorOptions> = {}): Promise<void> => {
  await simulator.close();
  simulator = await createSimulator({ world: WORLD, limit: 0, ...options });
};
beforeEach(async () => {
  simulator = await createSimulator({ world: WORLD, limit: 0 });
});
afterEach(() => simulator.close());

const send = async (method: string, path: string, body?: unknown, who = 'api_token.admin') =>
  createClient(simulator, who).send(path, {
    method,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
const listed = async (): Promise<Shown[]> => {
  const { hooks }: Shown = await (await fetch(`${simulator.url}/_simulator/hooks`)).json();
  return hooks;
};
const mutate = (kind: string, fields: Record<string, unknown>) => simulator.mutate({ kind, ...fields });

describe('webhooks as their owner manages them', () => {
  test('201 with Location, the secret never shown, events in the server order', async () => {
    const made = await send('POST', APP, {
      ...BODY,
      events: ['repo:push', 'pullrequest:created', 'repo:push'],
    });
    expect(made.status).toBe(201);
    expect(made.headers['location']).toBe(made.json.links.self.href);
    expect(made.json).toMatchObject({
      secret_set: true,
      active: true,
      events: ['pullrequest:created', 'repo:push'],
    });
    expect(made.text).not.toContain('"secret":');
    expect((await send('GET', made.headers['location'] ?? '')).json).toEqual(made.json);
    expect((await listed())[0]).toMatchObject({ secret: 'x', repository: 'one/app' });
  });

  test('PUT keeps the secret that is not named, and takes away the one that is null', async () => {
    const { json } = await send('POST', APP, BODY);
    const path = `${APP}/${encodeURIComponent(json.uuid)}`;
    const changed = await send('PUT', path, { events: ['repo:push', 'repo:fork'], active: false });
    expect(changed.json).toMatchObject({ url: BODY.url, active: false, secret_set: true });
    expect((await send('PUT', path, { secret: null })).json.secret_set).toBe(false);
    expect((await send('PUT', path, { secret: 'new' })).json.secret_set).toBe(true);
    expect((await listed())[0].secret).toBe('new');
    expect((await send('DELETE', path)).status).toBe(204);
    expect((await send('GET', path)).status).toBe(404);
  });

  test('lists by pages of at most 100, and refuses larger ones', async () => {
    for (let at = 0; at < 12; at += 1) {
      await mutate('hook.create', { repository: 'one/app', url: `http://127.0.0.1:9/${at}` });
    }
    const first = (await send('GET', APP)).json;
    expect([first.size, first.page, first.values.length]).toEqual([12, 1, 10]);
    expect(await createClient(simulator, 'api_token.admin').walk(`${APP}?pagelen=5`)).toHaveLength(12);
    expect((await send('GET', `${APP}?pagelen=101`)).status).toBe(400);
  });

  test('refuses unknown events, those of workspaces at a repository, and what is no address', async () => {
    const refused = await send('POST', APP, { ...BODY, events: ['repo:push', 'repo:eaten'] });
    expect([refused.status, refused.json.error.fields.events[0]]).toEqual([
      400,
      expect.stringContaining('repo:eaten'),
    ]);
    expect((await send('POST', APP, { ...BODY, events: ['repo:created'] })).status).toBe(400);
    expect((await send('POST', '/workspaces/one/hooks', { ...BODY, events: ['repo:created'] })).status).toBe(
      201,
    );
    expect((await send('POST', APP, { ...BODY, url: 'nowhere' })).status).toBe(400);
    expect((await send('POST', '/repositories/one/none/hooks', BODY)).status).toBe(404);
    expect((await send('POST', '/workspaces/none/hooks', BODY)).status).toBe(404);
    await start({ webhooks: { workspaceOnlyEvents: [] } });
    expect((await send('POST', APP, { ...BODY, events: ['repo:created'] })).status).toBe(201);
  });

  test('an administrator who loses the right gets 403 until it is given back', async () => {
    const who = 'api_token.member';
    const ask = async (path: string): Promise<number> => (await send('GET', path, undefined, who)).status;
    const both = async () => [await ask(APP), await ask('/workspaces/one/hooks')];
    expect(await both()).toEqual([403, 403]);
    await mutate('user.right', { user: 'member', repository: 'one/app', right: 'admin' });
    expect(await both()).toEqual([200, 403]);
    await mutate('user.right', { user: 'member', workspace: 'one', right: 'owner' });
    expect(await both()).toEqual([200, 200]);
    await mutate('user.right', { user: 'member', workspace: 'one', right: 'member' });
    await mutate('user.right', { user: 'member', repository: 'one/app', right: null });
    expect(await both()).toEqual([403, 403]);
    await mutate('user.right', { user: 'member', workspace: 'one', right: null });
    expect(await ask(APP)).toBe(404);
  });

  test('the customer changes and removes a hook at the source', async () => {
    const { json } = await send('POST', APP, BODY);
    const path = `${APP}/${encodeURIComponent(json.uuid)}`;
    await mutate('hook.edit', { hook: json.uuid, active: false, events: ['repo:fork'] });
    expect((await send('GET', path)).json).toMatchObject({ active: false, events: ['repo:fork'] });
    await mutate('hook.delete', { hook: json.uuid });
    expect((await send('GET', path)).status).toBe(404);
    await expect(mutate('hook.delete', { hook: json.uuid })).rejects.toThrow('no webhook');
  });

  test('has a limit of its own', async () => {
    await start({ limit: 2 });
    const status = async (path: string) => (await send('GET', path)).status;
    expect([await status(APP), await status(APP), await status(APP)]).toEqual([200, 200, 429]);
    expect(await status('/repositories/one/app')).toBe(200);
    const text = await (await fetch(`${simulator.url}/_simulator/journal`)).text();
    expect(text.match(/"group":"webhook"/g)).toHaveLength(3);
  });

  test.each(['silence', 'reset'] as const)('a POST works though its answer is lost (%s)', async (how) => {
    simulator.faults.set({
      rules: [{ match: { method: 'POST', path: '/hooks$' }, count: 1, fault: { kind: 'lost_answer', how } }],
    });
    const client = createClient(simulator, 'api_token.admin');
    const body = JSON.stringify(BODY);
    const signal = AbortSignal.timeout(200);
    await expect(client.send(APP, { method: 'POST', body, signal })).rejects.toThrow(/fetch failed|timeout/);
    expect(await listed()).toHaveLength(1);
    expect(simulator.journal.since(0)[0]).toMatchObject({
      method: 'POST',
      fault: 'lost_answer',
      status: null,
    });
    expect((await send('POST', APP, BODY)).status).toBe(201);
  });
});
