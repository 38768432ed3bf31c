import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { SimulatorOptions } from '../../simulator/options.ts';
import { createSimulator, type Simulator } from '../support/simulator.ts';
import { createClient, type Shown, stateLines } from './client.ts';

const WORLD: NonNullable<SimulatorOptions['world']> = {
  workspaces: [
    { slug: 'one', name: 'One', projects: [{ key: 'P', name: 'P' }] },
    { slug: 'two', name: 'Two', projects: [{ key: 'Q', name: 'Q' }] },
  ],
  repositories: [
    { workspace: 'one', project: 'P', slug: 'app', pullRequests: 30, commits: 40 },
    { workspace: 'one', project: 'P', slug: 'lib', pullRequests: 6, commits: 8 },
  ],
};
const AUTHOR = { name: 'Ada Admin', email: 'ada-admin@example.com' };

let simulator: Simulator;
let client: ReturnType<typeof createClient>;
beforeEach(async () => {
  simulator = await createSimulator({ world: WORLD, limit: 0 });
  client = createClient(simulator, 'api_token.service');
});
afterEach(() => simulator.close());

const mutate = async (kind: string, fields: Record<string, unknown>): Promise<Shown> =>
  simulator.mutate({ kind, ...fields });
const get = async (path: string): Promise<Shown> => (await client.get(path)).json;
const push = (repository: string, branch = 'main') =>
  mutate('git', {
    repository,
    change: { kind: 'push', branch, commits: [{ message: `On ${branch}\n`, author: AUTHOR }] },
  });
const slugs = async (query = ''): Promise<string[]> =>
  (await get(`/repositories/one?sort=-updated_on${query}`)).values.map(({ slug }: Shown) => slug);

describe('what a poll can see', () => {
  test('a push moves a repository to the front of the list, a pull request does not', async () => {
    const before = (await get('/repositories/one/app')).updated_on;
    await push('one/lib');
    expect(await slugs()).toEqual(['lib', 'app']);
    await mutate('pull_request.edit', { repository: 'one/app', number: 1, title: 'Other' });
    await mutate('comment.add', { repository: 'one/app', number: 1, raw: 'x' });
    expect((await get('/repositories/one/app')).updated_on).toBe(before);
    await push('one/app');
    expect(await slugs()).toEqual(['app', 'lib']);
    const since = encodeURIComponent(`updated_on>${(await get('/repositories/one/lib')).updated_on}`);
    expect(await slugs(`&q=${since}`)).toEqual(['app']);
  });

  test('pull requests of an author over the workspace: states, q, sort, uuid and account id', async () => {
    const person = simulator.credential('api_token.member').owner;
    const path = `/workspaces/one/pullrequests/${encodeURIComponent(person)}`;
    expect((await get(path)).size).toBe(0);
    for (const repository of ['one/app', 'one/lib']) {
      await mutate('pull_request.create', { repository, title: 'Mine', source: 'main', user: 'member' });
    }
    const { number } = await mutate('pull_request.create', {
      repository: 'one/app',
      title: 'No',
      source: 'main',
      user: 'member',
    });
    await mutate('pull_request.decline', { repository: 'one/app', number });
    expect((await get(path)).size).toBe(2);
    expect((await get(`${path}?state=OPEN&state=DECLINED&pagelen=50`)).size).toBe(3);
    const { account_id: account } = await get(`/users/${encodeURIComponent(person)}`);
    expect((await get(`/workspaces/one/pullrequests/${account}`)).size).toBe(2);
    expect((await client.get(`${path}?pagelen=51`)).status).toBe(400);
    const [newest, , oldest] = (await get(`${path}?q=id>0&sort=-updated_on`)).values;
    expect(newest.state).toBe('DECLINED');
    const later = encodeURIComponent(`updated_on>${oldest.updated_on}`);
    expect((await get(`${path}?q=${later}`)).size).toBe(2);
    // Every author's together are all of the lists.
    const all = new Set<string>();
    for (const one of await client.walk('/workspaces/one/members?pagelen=100')) {
      const theirs = `/workspaces/one/pullrequests/${encodeURIComponent(one.user.uuid)}?q=id>0&pagelen=50`;
      for (const found of await client.walk(theirs)) {
        expect(found.author.uuid).toBe(one.user.uuid);
        all.add(found.links.self.href);
      }
    }
    const members = new Set(
      (await client.walk('/workspaces/one/members?pagelen=100')).map(({ user }) => user.uuid),
    );
    const listed = [
      ...(await client.walk('/repositories/one/app/pullrequests?q=id>0&pagelen=50')),
      ...(await client.walk('/repositories/one/lib/pullrequests?q=id>0&pagelen=50')),
    ].filter(({ author }) => members.has(author?.uuid));
    expect(all).toEqual(new Set(listed.map(({ links }) => links.self.href)));
  });

  test('comments by the moment of their last change', async () => {
    const target = { repository: 'one/app', number: 2 };
    const first = await mutate('comment.add', { ...target, raw: 'one' });
    const second = await mutate('comment.add', { ...target, raw: 'two' });
    const path = '/repositories/one/app/pullrequests/2/comments';
    const { updated_on: seen } = await get(`${path}/${second.id}`);
    await mutate('comment.resolve', { ...target, comment: first.id });
    const q = encodeURIComponent(`updated_on>${seen}`);
    const found = (await get(`${path}?q=${q}`)).values;
    expect(found.map(({ id }: Shown) => id)).toEqual([first.id]);
    expect((await get('/repositories/one/app/pullrequests/2')).updated_on).toBe(found[0].updated_on);
  });

  test('a push to the source branch of an open pull request gives it a new head', async () => {
    const repository = 'one/app';
    await mutate('git', { repository, change: { kind: 'createBranch', name: 'topic', target: 'main' } });
    const { number } = await mutate('pull_request.create', { repository, title: 'T', source: 'topic' });
    const path = `/repositories/one/app/pullrequests/${number}`;
    const before = await get(path);
    const { refs } = await push(repository, 'topic');
    const after = await get(path);
    expect(after.source.commit.hash).toBe(refs[0].after.slice(0, 12));
    expect(Date.parse(after.updated_on)).toBeGreaterThanOrEqual(Date.parse(before.updated_on));
    expect((await get(`${path}/activity`)).values).toHaveLength(2);
  });
});

describe('repositories that are not where they were', () => {
  const git = async (path: string): Promise<number> => {
    const { secret } = simulator.credential('api_token.service');
    const word = Buffer.from(`x-bitbucket-api-token-auth:${secret}`).toString('base64');
    const answer = await fetch(`${simulator.url}/${path}.git/info/refs?service=git-upload-pack`, {
      headers: { authorization: `Basic ${word}` },
      redirect: 'manual',
    });
    await answer.arrayBuffer();
    return answer.status;
  };
  const status = async (path: string): Promise<number> => (await client.get(path)).status;

  test('renamed: the old slug leads on with path and query, the uuid stays, a new one may take the slug', async () => {
    const { uuid } = await get('/repositories/one/lib');
    await mutate('repository.rename', { repository: 'one/lib', slug: 'library' });
    const moved = await client.get('/repositories/one/lib/pullrequests?state=MERGED&pagelen=5');
    expect(moved.status).toBe(301);
    expect(moved.headers['location']).toBe(
      `${simulator.apiUrl}/repositories/one/library/pullrequests?state=MERGED&pagelen=5`,
    );
    expect(await git('one/lib')).toBe(301);
    expect((await get(`/repositories/one/${encodeURIComponent(uuid)}`)).slug).toBe('library');
    const made = await mutate('repository.create', { workspace: 'one', slug: 'lib', commits: 3 });
    const fresh = await get('/repositories/one/lib');
    expect(fresh.uuid).toBe(made.repository);
    expect(fresh.uuid).not.toBe(uuid);
    await expect(mutate('repository.rename', { repository: 'one/app', slug: 'lib' })).rejects.toThrow(
      'there is a repository one/lib',
    );
  });

  test('moved to another workspace: gone at the old address, the same by uuid, its tokens dead', async () => {
    const { uuid } = await get('/repositories/one/app');
    const ownToken = createClient(simulator, 'access_token.repository');
    expect((await ownToken.get('/repositories/one/app')).status).toBe(200);
    await mutate('repository.transfer', { repository: 'one/app', workspace: 'two' });
    expect(await status('/repositories/one/app')).toBe(404);
    expect(
      (await get(`/repositories/${encodeURIComponent('{}')}/${encodeURIComponent(uuid)}`)).full_name,
    ).toBe('two/app');
    expect([await git('one/app'), await git('two/app')]).toEqual([404, 200]);
    expect((await ownToken.get('/repositories/two/app')).status).toBe(401);
    expect(await slugs()).toEqual(['lib']);
    const [line] = await stateLines(simulator, uuid);
    expect(line).toMatchObject({ full_name: 'two/app', workspace: (await get('/workspaces/two')).uuid });
  });

  test('deleted, or no longer shown to the account: 404, absent from lists, no git', async () => {
    await mutate('repository.edit', { repository: 'one/lib', member_right: null });
    await mutate('user.right', { user: 'service', repository: 'one/lib', right: null });
    expect([await status('/repositories/one/lib'), await git('one/lib')]).toEqual([404, 404]);
    expect(await slugs()).toEqual(['app']);
    expect((await createClient(simulator, 'api_token.admin').get('/repositories/one/lib')).status).toBe(200);
    await mutate('user.right', { user: 'service', repository: 'one/lib', right: 'read' });
    expect(await status('/repositories/one/lib')).toBe(200);
    await mutate('repository.delete', { repository: 'one/lib' });
    expect([await status('/repositories/one/lib'), await git('one/lib')]).toEqual([404, 404]);
    expect(await slugs()).toEqual(['app']);
    expect((await stateLines(simulator)).filter(({ slug }) => slug === 'lib')).toEqual([]);
  });

  test('created while the host runs, with content and the usual rights', async () => {
    const made = await mutate('repository.create', {
      workspace: 'two',
      slug: 'new',
      pull_requests: 5,
      commits: 20,
    });
    expect(await get('/repositories/two/new')).toMatchObject({
      uuid: made.repository,
      mainbranch: { name: 'main' },
    });
    expect(await client.walk('/repositories/two/new/pullrequests?q=id>0')).toHaveLength(5);
    const lines = await stateLines(simulator, made.repository);
    expect(lines.filter(({ kind }) => kind === 'pull_request')).toHaveLength(5);
    expect(lines.filter(({ kind }) => kind === 'commit').length).toBeGreaterThanOrEqual(20);
  });

  test('merged at the source: the truth has the merge, the branch and its commits', async () => {
    const repository = 'one/app';
    await mutate('git', { repository, change: { kind: 'createBranch', name: 'topic', target: 'main' } });
    const { newCommits } = await push(repository, 'topic');
    const { number } = await mutate('pull_request.create', { repository, title: 'T', source: 'topic' });
    const { merge_commit: merge } = await mutate('pull_request.merge', { repository, number });
    const { uuid } = await get('/repositories/one/app');
    const lines = await stateLines(simulator, uuid);
    expect(lines.find((line) => line.kind === 'branch' && line.name === 'main').target).toBe(merge);
    expect(
      lines.filter((line) => line.kind === 'pull_request_commit' && line.pull_request === number),
    ).toMatchObject([{ commit: newCommits[0], source: 'merge_commit' }]);
    await expect(mutate('pull_request.merge', { repository, number })).rejects.toThrow('is MERGED');
  });

  test('git ls-remote tells new heads at once, though answers about refs are kept', async () => {
    const { secret } = simulator.credential('api_token.service');
    const url = `http://x-bitbucket-api-token-auth:${secret}@127.0.0.1:${simulator.port}/one/app.git`;
    const heads = async (...protocol: string[]): Promise<string> => {
      const { stdout } = await promisify(execFile)('git', [...protocol, 'ls-remote', url, 'refs/heads/main']);
      return stdout.slice(0, 40);
    };
    const before = await heads();
    expect(await heads()).toBe(before);
    const { refs } = await push('one/app');
    expect([before, await heads(), await heads('-c', 'protocol.version=0')]).toEqual([
      refs[0].before,
      refs[0].after,
      refs[0].after,
    ]);
  });
});
