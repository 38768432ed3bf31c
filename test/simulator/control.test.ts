import { afterEach, describe, expect, it } from 'vitest';
import type { SimulatorOptions } from '../../simulator/options.ts';
import { createSimulator, type Simulator } from '../support/simulator.ts';
import { createClient, type Shown } from './client.ts';

const WORLD: NonNullable<SimulatorOptions['world']> = {
  workspaces: [{ slug: 'one', name: 'One', projects: [{ key: 'P', name: 'P' }] }],
  repositories: [{ workspace: 'one', project: 'P', slug: 'app', pullRequests: 12, commits: 20, tickets: 3 }],
};
const LIST = '/repositories/one/app/pullrequests?state=ALL';

describe('limits, clock, faults, journal and mutations', () => {
  let simulator: Simulator;
  const start = async (options: Partial<SimulatorOptions> = {}) => {
    simulator = await createSimulator({ world: WORLD, limit: 0, ...options });
    return createClient(simulator, 'api_token.service');
  };
  afterEach(() => simulator.close());

  const control = async (method: string, path: string, body?: unknown): Promise<Shown> => {
    const response = await fetch(`${simulator.url}/_simulator/${path}`, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: response.status, json: await response.json() };
  };

  it('limits an account over all its credentials, without headers, until the window has passed', async () => {
    const client = await start({ limit: 3, windowMs: 60_000, era: 'guide' });
    const other = createClient(simulator, 'app_password.service');
    for (let turn = 0; turn < 3; turn += 1) expect((await client.get(LIST)).status).toBe(200);
    const refused = await other.get(LIST);
    expect([refused.status, refused.json.error.message]).toEqual([
      429,
      'Rate limit for this resource has been exceeded',
    ]);
    expect(Object.keys(refused.headers).filter((name) => /ratelimit|retry/.test(name))).toEqual([]);
    expect((await client.get('/user')).status).toBe(200);
    expect((await createClient(simulator, 'api_token.admin').get(LIST)).status).toBe(200);
    await control('PUT', 'clock', { advanceMs: 60_000 });
    expect((await client.get(LIST)).status).toBe(200);
  });

  it('sends limit headers to anonymous callers and access tokens only', async () => {
    await start({ limit: 100 });
    const anonymous = await createClient(simulator, undefined).get(LIST);
    expect(anonymous.headers['x-ratelimit-limit']).toBe('6, 6;w=3600');
    expect(Number(anonymous.headers['x-ratelimit-reset'])).toBeLessThanOrEqual(3600);
    const token = await createClient(simulator, 'access_token.workspace').get(LIST);
    expect(token.headers['x-ratelimit-limit']).toBe('100');
    expect(token.headers['x-ratelimit-nearlimit']).toBe('false');
    const user = await createClient(simulator, 'api_token.service').get(LIST);
    expect(user.headers).not.toHaveProperty('x-ratelimit-limit');
  });

  it('says Retry-After in both forms when told to', async () => {
    let client = await start({ limit: 1, retryAfter: 'seconds' });
    await client.get(LIST);
    expect(Number((await client.get(LIST)).headers['retry-after'])).toBeGreaterThan(3590);
    await simulator.close();
    client = await start({ limit: 1, retryAfter: 'date' });
    await client.get(LIST);
    const date = Date.parse((await client.get(LIST)).headers['retry-after'] ?? '');
    expect(date - Date.now()).toBeGreaterThan(3_590_000);
  });

  it('plays faults where and as often as the plan says', async () => {
    const client = await start();
    const put = await control('PUT', 'faults', {
      seed: 7,
      rules: [
        {
          match: { path: '/pullrequests' },
          nth: 2,
          fault: { kind: 'rate_limit', retry_after: 'seconds', seconds: 5 },
        },
        { match: { path: '/pullrequests' }, nth: [3], fault: { kind: 'status', status: 503 } },
        { match: { path: '/user$', credential: 'api_token.service' }, count: 1, fault: { kind: 'brownout' } },
        { match: { path: '/commits' }, fault: { kind: 'empty_list' } },
        { match: { path: '/refs' }, fault: { kind: 'html' } },
        { match: { path: '/workspaces' }, fault: { kind: 'wrong_shape' } },
      ],
    });
    expect(put.status).toBe(200);
    const answers = [
      await client.get(LIST),
      await client.get(LIST),
      await client.get(LIST),
      await client.get(LIST),
    ];
    expect(answers.map((answer) => answer.status)).toEqual([200, 429, 200, 503]);
    expect(answers[1]?.headers['retry-after']).toBe('5');
    expect((await client.get('/user')).status).toBe(401);
    expect((await client.get('/user')).status).toBe(200);
    expect((await client.get('/repositories/one/app/commits')).json.values).toEqual([]);
    expect((await client.get('/repositories/one/app/refs')).headers['content-type']).toContain('html');
    expect(Array.isArray((await client.get('/workspaces/one')).json.values)).toBe(false);
    expect((await control('GET', 'faults')).json.rules[0].played).toBe(1);
    await control('DELETE', 'faults');
    expect((await client.get('/repositories/one/app/commits')).json.values.length).toBeGreaterThan(0);
    expect((await control('PUT', 'faults', { rules: [{ fault: { kind: 'nonsense' } }] })).status).toBe(400);
  });

  it('breaks connections and bodies', async () => {
    const client = await start();
    simulator.faults.set({ rules: [{ count: 1, fault: { kind: 'reset' } }] });
    await expect(client.get(LIST)).rejects.toThrow(/fetch failed|terminated/);
    simulator.faults.set({ rules: [{ count: 1, fault: { kind: 'truncate' } }] });
    await expect(client.get(LIST)).rejects.toThrow(/fetch failed|terminated/);
    simulator.faults.set({ rules: [{ count: 1, fault: { kind: 'slow_body', ms: 300 } }] });
    const started = performance.now();
    expect((await client.get(LIST)).json.size).toBe(12);
    expect(performance.now() - started).toBeGreaterThan(250);
  });

  it('decides by seed which requests fail', async () => {
    const client = await start();
    const pattern = async (seed: number): Promise<string> => {
      simulator.faults.set({ seed, rules: [{ probability: 0.5, fault: { kind: 'status', status: 500 } }] });
      const statuses: number[] = [];
      for (let turn = 0; turn < 20; turn += 1) statuses.push((await client.get('/user')).status);
      return statuses.join();
    };
    const first = await pattern(3);
    expect(first).toContain('500');
    expect(first).toContain('200');
    expect(await pattern(3)).toBe(first);
    expect(await pattern(4)).not.toBe(first);
  });

  it('journals every request without its secret', async () => {
    const client = await start();
    await client.get(`${LIST}&page=1&pagelen=5`);
    await client.get('/repositories/one/app/pullrequests?pagelen=5&page=1&state=ALL');
    await client.get('/nowhere');
    const text = await (await fetch(`${simulator.url}/_simulator/journal`)).text();
    const entries = text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(entries.map((entry) => entry.status)).toEqual([200, 200, 404]);
    expect(entries[0]).toMatchObject({ sequence: 1, method: 'GET', group: 'repository', fault: null });
    expect(entries[0].page).toBe(entries[1].page);
    expect(text).not.toContain(simulator.credential('api_token.service').secret);
    const later = await (await fetch(`${simulator.url}/_simulator/journal?since=2`)).text();
    expect(later.trim().split('\n')).toHaveLength(1);
    await control('DELETE', 'journal');
    expect(await (await fetch(`${simulator.url}/_simulator/journal`)).text()).toBe('');
  });

  it('changes what the API shows', async () => {
    const client = await start();
    const repository = 'one/app';
    const before = (await client.get('/repositories/one/app/pullrequests/2')).json;
    const added = await control('POST', 'mutations', [
      { kind: 'pull_request.edit', repository, number: 2, title: 'New title' },
      { kind: 'comment.add', repository, number: 2, raw: 'by mutation', user: 'member' },
      { kind: 'pull_request.approve', repository, number: 2, user: 'member' },
    ]);
    const { id } = added.json.results[1];
    const after = (await client.get('/repositories/one/app/pullrequests/2')).json;
    expect(after.title).toBe('New title');
    expect(after.comment_count).toBe(before.comment_count + 1);
    expect(Date.parse(after.updated_on)).toBeGreaterThan(Date.parse(before.updated_on));
    expect(after.participants.find((entry: Shown) => entry.user.nickname === 'Mia').approved).toBe(true);
    const newest = (await client.get('/repositories/one/app/pullrequests/activity?pagelen=3')).json.values;
    expect(newest.map((entry: Shown) => Object.keys(entry).at(-1)).toSorted()).toEqual([
      'approval',
      'comment',
      'update',
    ]);
    await simulator.mutate({ kind: 'comment.delete', repository, number: 2, comment: id });
    const gone = await client.get(`/repositories/one/app/pullrequests/2/comments/${id}`);
    expect(gone.json).toMatchObject({ deleted: true, content: { raw: '' } });
    await simulator.mutate({ kind: 'repository.rename', repository, slug: 'renamed' });
    expect((await client.get(LIST)).status).toBe(301);
    await simulator.mutate({ kind: 'repository.delete', repository: 'one/renamed' });
    expect((await client.get('/repositories/one/renamed')).status).toBe(404);
    await simulator.mutate({ kind: 'credential.revoke', name: 'api_token.service' });
    expect((await client.get('/user')).status).toBe(401);
    expect((await control('POST', 'mutations', { kind: 'nothing.known' })).status).toBe(400);
  });
});
