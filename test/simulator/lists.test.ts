import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSimulator, type Simulator } from '../support/simulator.ts';
import { createClient, type Shown } from './client.ts';

const REPOSITORY = '/repositories/acme-rockets/flight-control';
const ALL = 'state=OPEN&state=MERGED&state=DECLINED&state=SUPERSEDED';

describe('lists', () => {
  let simulator: Simulator;
  let client: ReturnType<typeof createClient>;
  beforeAll(async () => {
    simulator = await createSimulator({ limit: 0 });
    client = createClient(simulator, 'api_token.service');
  });
  afterAll(() => simulator.close());

  const ids = async (query: string): Promise<number[]> =>
    (await client.walk(`${REPOSITORY}/pullrequests?${query}`)).map((entry) => entry.id);

  it.each([
    ['/user/workspaces', 100],
    ['/repositories/acme-rockets', 100],
    ['/workspaces/acme-rockets/members', 100],
    [`${REPOSITORY}/commits`, 100],
    [`${REPOSITORY}/refs/branches`, 100],
    [`${REPOSITORY}/pullrequests`, 50],
    [`${REPOSITORY}/pullrequests/activity`, 50],
    [`${REPOSITORY}/pullrequests/1/activity`, 50],
    [`${REPOSITORY}/pullrequests/1/comments`, 100],
    [`${REPOSITORY}/diffstat/main`, 500],
  ])('%s takes %i a page and refuses more', async (path, max) => {
    expect((await client.get(`${path}?pagelen=${max}`)).status).toBe(200);
    const more = await client.get(`${path}?pagelen=${max + 1}`);
    expect([more.status, more.json.error.message]).toEqual([400, 'Invalid pagelen']);
  });

  it('walks every pull request once, whatever the page length', async () => {
    const everything = Array.from({ length: 60 }, (_, index) => 60 - index);
    expect(await ids(`${ALL}&pagelen=7`)).toEqual(everything);
    expect(await ids(`${ALL}&pagelen=50`)).toEqual(everything);
  });

  it('shows open pull requests only, until asked, and forgets state beside q', async () => {
    const states = async (query: string) =>
      new Set((await client.walk(`${REPOSITORY}/pullrequests?${query}`)).map((entry) => entry.state));
    expect(await states('')).toEqual(new Set(['OPEN']));
    expect(await states('state=DECLINED')).toEqual(new Set(['DECLINED']));
    expect((await states('state=DECLINED&q=id>0')).size).toBeGreaterThan(2);
    expect((await client.get(`${REPOSITORY}/pullrequests?state=LOST`)).status).toBe(400);
  });

  it('gives what is behind an id, whatever else is asked for and however often', async () => {
    const query = (q: string) => ids(`q=${encodeURIComponent(q)}&sort=id&pagelen=50`);
    const everything = await query('id>0');
    expect(everything).toHaveLength(60);
    expect(await query('id>17')).toEqual(everything.slice(17));
    expect(await query('id>60')).toEqual([]);
    const merged = await query('state="MERGED"');
    expect(await query('state="MERGED" AND id>17')).toEqual(merged.filter((id) => id > 17));
    expect(await query('id<3 OR state="MERGED" AND id>17')).toEqual([
      1,
      2,
      ...merged.filter((id) => id > 17),
    ]);
    const newestFirst = await ids(`q=${encodeURIComponent('id>17')}&sort=-id&pagelen=50`);
    expect(newestFirst).toEqual(everything.slice(17).toReversed());
  });

  it('filters and sorts', async () => {
    expect(await ids(`q=${encodeURIComponent('id >= 3 AND id < 6')}&sort=id`)).toEqual([3, 4, 5]);
    expect(await ids(`q=${encodeURIComponent('id IN (2, 9) OR (id > 57 AND id != 59)')}&sort=id`)).toEqual([
      2, 9, 58, 60,
    ]);
    const all = await client.walk(`${REPOSITORY}/pullrequests?${ALL}&sort=updated_on`);
    const times: string[] = all.map((entry) => entry.updated_on);
    expect(times.map((time) => Date.parse(time))).toEqual(
      times.map((time) => Date.parse(time)).toSorted((a, b) => a - b),
    );
    expect(new Set(times).size).toBeLessThan(times.length);
    const middle = all[30].updated_on;
    const since = await ids(`q=${encodeURIComponent(`updated_on >= ${middle}`)}`);
    expect(since.length).toBe(times.filter((time) => time >= middle).length);
    const merged = await ids(`q=${encodeURIComponent('state="MERGED" AND NOT_A_FIELD=1')}`).catch(String);
    expect(merged).toContain('does not support filtering');
    const refused = await client.get(
      `${REPOSITORY}/pullrequests?q=${encodeURIComponent('participants.user.uuid="x"')}`,
    );
    expect(refused.json.error.message).toBe('Field "participants.user.uuid" does not support filtering');
  });

  it('ignores q and sort on commits and activity', async () => {
    const plain = await client.get(`${REPOSITORY}/commits?pagelen=5`);
    const asked = await client.get(`${REPOSITORY}/commits?pagelen=5&q=nonsense%3D1&sort=x`);
    expect(asked.json.values).toEqual(plain.json.values);
    const feed = await client.get(`${REPOSITORY}/pullrequests/activity?q=nonsense%3D1&sort=x`);
    expect(feed.status).toBe(200);
  });

  it('adds, keeps and removes fields', async () => {
    const plain = await client.get(`${REPOSITORY}/pullrequests?${ALL}&pagelen=3`);
    expect(plain.json.values[0]).not.toHaveProperty('reviewers');
    const added = await client.get(
      `${REPOSITORY}/pullrequests?${ALL}&pagelen=3&fields=%2Bvalues.reviewers,%2Bvalues.participants`,
    );
    expect(added.json.size).toBe(60);
    expect(added.json.values[0].reviewers.length).toBeGreaterThan(0);
    expect(added.json.values[0].participants[0]).toHaveProperty('user.uuid');
    const kept = await client.get(
      `${REPOSITORY}/pullrequests?${ALL}&pagelen=3&fields=values.id,values.author.uuid,next`,
    );
    expect(Object.keys(kept.json).toSorted()).toEqual(['next', 'values']);
    expect(Object.keys(kept.json.values[0]).toSorted()).toEqual(['author', 'id']);
    const removed = await client.get(`${REPOSITORY}/pullrequests?${ALL}&pagelen=3&fields=-values.links`);
    expect(removed.json.values[0]).not.toHaveProperty('links');
    expect(removed.json.values[0]).toHaveProperty('title');
  });

  it('shapes pages as they really are', async () => {
    const list = (await client.get(`${REPOSITORY}/pullrequests?pagelen=1`)).json;
    expect(Object.keys(list).toSorted()).toEqual(['next', 'page', 'pagelen', 'size', 'values']);
    const commits = (await client.get(`${REPOSITORY}/commits?pagelen=1`)).json;
    expect(Object.keys(commits).toSorted()).toEqual(['next', 'pagelen', 'values']);
    expect(commits.next).toMatch(/ctx=[0-9a-f]{32}&page=2$/);
    expect((await client.get(`${REPOSITORY}/refs/tags`)).json).not.toHaveProperty('size');
    const stale = await client.get(`${REPOSITORY}/commits?ctx=${'0'.repeat(32)}&page=2`);
    expect(stale.status).toBe(400);
    const beyond = await client.get(`${REPOSITORY}/pullrequests/60/commits?page=zzzz`);
    expect([beyond.status, beyond.json.error.message]).toEqual([400, 'Invalid page']);
  });

  it('freezes the heads of a walk over commits', async () => {
    const first = await client.get(`${REPOSITORY}/commits?pagelen=10`);
    const before = await client.walk(`${REPOSITORY}/commits?pagelen=100`);
    await simulator.mutate({
      kind: 'git',
      repository: 'acme-rockets/flight-control',
      change: {
        kind: 'push',
        branch: 'main',
        commits: [{ message: 'late', author: { name: 'L', email: 'l@x.y' } }],
      },
    });
    const rest = await client.walk(first.json.next);
    expect([...first.json.values, ...rest].map((commit) => commit.hash)).toEqual(
      before.map((commit) => commit.hash),
    );
    const exclude = before[0].hash;
    const news = await client.walk(`${REPOSITORY}/commits?include=main&exclude=${exclude}`);
    expect(news.map((commit) => commit.message.trim())).toContain('late');
    const posted = await client.send(`${REPOSITORY}/commits`, {
      method: 'POST',
      body: new URLSearchParams({ include: 'main', exclude }),
    });
    expect(posted.json.values.map((commit: Shown) => commit.hash)).toEqual(news.map((commit) => commit.hash));
  });

  it('answers 404 with the unknown hashes, and a web page where the repository is missing', async () => {
    const unknown = 'f'.repeat(40);
    const answer = await client.get(`${REPOSITORY}/commits?include=main&exclude=${unknown}`);
    expect(answer.status).toBe(404);
    expect(answer.json.error).toEqual({ message: 'Commit not found', data: { shas: [unknown] } });
    const page = await client.get(`/repositories/acme-rockets/no-such-thing/commits/${unknown}`);
    expect([page.status, page.headers['content-type']]).toEqual([404, 'text/html; charset=utf-8']);
  });

  it('redirects a former slug and keeps the query', async () => {
    const answer = await client.get('/repositories/acme-rockets/telemetry-old/pullrequests?pagelen=2');
    expect(answer.status).toBe(301);
    expect(answer.headers.location).toBe(
      `${simulator.apiUrl}/repositories/acme-rockets/telemetry/pullrequests?pagelen=2`,
    );
  });

  it('answers 304 for an unchanged repository list', async () => {
    const first = await client.get('/repositories/acme-rockets');
    const again = await client.send('/repositories/acme-rockets', {
      headers: { 'if-none-match': first.headers.etag ?? '' },
    });
    expect([again.status, again.text]).toEqual([304, '']);
  });

  it('sends a pull request to its diffstat with a carriage return in the address', async () => {
    const answer = await client.get(`${REPOSITORY}/pullrequests/2/diffstat`);
    expect(answer.status).toBe(302);
    expect(answer.headers.location).toContain('%0D');
    const followed = await client.get(answer.headers.location ?? '');
    expect(followed.status).toBe(200);
    expect(followed.json.values.length).toBe(followed.json.size);
  });

  it('says that trackers and listings across workspaces are gone', async () => {
    for (const path of ['/issues', '/issues/1/comments', '/components']) {
      const answer = await createClient(simulator, 'access_token.workspace_read').get(`${REPOSITORY}${path}`);
      expect([answer.status, answer.json.error.message]).toEqual([
        410,
        'CHANGE-3071 - Functionality has been deprecated',
      ]);
    }
    for (const path of ['/repositories', '/workspaces', '/user/permissions/workspaces']) {
      expect((await client.get(path)).status).toBe(410);
    }
  });
});
