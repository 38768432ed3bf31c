import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { createDeliveryBench, type DeliveryBench } from '../../support/deliveryBench.ts';
import { seedsTimeoutMs } from '../../support/seeds.ts';

/** Poll rounds in trouble, and what their watermark passes: changed pull requests are asked for by author. */
const REPOSITORY = 'acme/subject';
/** More than there are authors. */
const OTHERS = Array.from({ length: 11 }, (_, index) => `other-${index}`);
const WORLD = {
  contributors: 3,
  members: 2,
  workspaces: ['acme', 'umbrella'].map((slug) => ({
    slug,
    name: slug,
    projects: [{ key: 'ENG', name: 'Engineering' }],
  })),
  repositories: [
    ...['subject', ...OTHERS].map((slug) => ({ workspace: 'acme', slug })),
    { workspace: 'umbrella', slug: 'last' },
  ].map((one) => ({ ...one, project: 'ENG', pullRequests: 2, commits: 4, tickets: 0 })),
};
const AN_HOUR_MS = 3_600_000;

vi.setConfig({ testTimeout: seedsTimeoutMs() });

let bench: DeliveryBench;
let author: string;
let subjectId: string;
beforeAll(async () => {
  bench = await createDeliveryBench({ world: WORLD });
  await bench.discover();
  for (const { workspace, slug } of WORLD.repositories) await bench.importRepository(`${workspace}/${slug}`);
  const [row] = await bench.sql<{ id: string; uuid: string }[]>`
    select r.id, p.author_uuid as uuid from pull_requests p join repositories r on r.id = p.repository_id
    where r.full_name = ${REPOSITORY} and p.number = 1`;
  author = row!.uuid;
  subjectId = row!.id;
});
afterAll(() => bench?.close());
beforeEach(async () => {
  bench.simulator.clock.advance(AN_HOUR_MS);
  await bench.poll();
  await bench.sync(subjectId, ['pull_requests']);
  bench.simulator.clock.advance(AN_HOUR_MS);
  // The feed would show what the lists of authors pass over.
  await bench.sql`update repository_syncs set rotated_at = now() + interval '1 hour'`;
});
afterEach(() => bench.simulator.faults.clear());

const acme = async (): Promise<{ since: string; method: string }> => {
  const [row] = await bench.sql<{ since: string; method: string }[]>`
    select p.since::text, p.method from workspace_polls p join workspaces w on w.id = p.workspace_id where w.slug = 'acme'`;
  return row!;
};
const edit = (title: string) =>
  bench.mutate('pull_request.edit', { repository: REPOSITORY, number: 1, title });
/** A round that asks nothing of the author has passed. */
const passHours = (method: 'authors' | 'repositories') =>
  bench.sql`update workspace_polls set since = since + interval '20 hours', method = ${method}`;

/** How often the host was asked for this since a place in its journal. */
const timesAsked = (path: string, since: number): number =>
  bench.simulator.journal.since(since).filter((entry) => entry.path.includes(path)).length;
const journaled = (): number => bench.simulator.journal.since(0).at(-1)?.sequence ?? 0;

test('a pause ends the round behind the request in hand; it says so, and nothing about a whole round', async () => {
  const { integrationId } = bench;
  const become = (state: string) =>
    bench.sql`update integrations set state = ${state} where id = ${integrationId}`;
  let place = journaled();
  await bench.poll();
  expect(bench.simulator.journal.since(place).length).toBeGreaterThan(2);
  place = journaled();
  await bench.sql`update integration_polls set requests = 7`;
  const known = () => bench.sql`select requests, last_finished_at from integration_polls`;
  const before = await known();
  await bench.poll(() => become('paused'));
  await become('active');
  expect(bench.simulator.journal.since(place)).toHaveLength(1);
  expect(await known()).toEqual(before);
  const whyNotWhole = async () =>
    (await bench.sql`select last_error ->> 'code' as why from integration_polls`)[0];
  expect(await whyNotWhole()).toEqual({ why: 'poll_stopped' });
  await bench.poll();
  expect(await whyNotWhole()).toEqual({ why: null });
  expect(await known()).not.toEqual(before);
});

test('what was missed of a service that is off wakes nobody, until the service is on', async () => {
  const { integrationId, sql } = bench;
  const [before] = await sql<
    { services: string[] }[]
  >`select services from integrations where id = ${integrationId}`;
  const turnOn = (services: string[]) =>
    sql`update integrations set services = ${services} where id = ${integrationId}`;
  const round = async () => {
    await bench.poll();
    const [row] = await sql`select p.found, y.missed from integration_polls p, repository_syncs y
      where p.integration_id = ${integrationId} and y.repository_id = ${subjectId}`;
    return row;
  };
  await sql`update repository_syncs set missed = '{tickets}' where repository_id = ${subjectId}`;
  await turnOn(['repositories', 'pull_requests']);
  expect(await round()).toEqual({ found: 0, missed: ['tickets'] });
  await turnOn(before!.services);
  expect(await round()).toEqual({ found: 1, missed: null });
});

describe('a list that fails for good', () => {
  const push = (repository: string) => {
    const commits = [{ message: 'Pushed\n', author: { name: 'Mia', email: 'mia@example.com' } }];
    return bench.mutate('git', { repository, change: { kind: 'push', branch: 'main', commits } });
  };

  test.each([{ kind: 'status', status: 555 }, { kind: 'wrong_shape' }, { kind: 'next', to: 'self' }])(
    'of an author, by %j: the round goes on behind it, and the watermark stays',
    async (fault) => {
      const list = `/workspaces/acme/pullrequests/${encodeURIComponent(author)}`;
      const [{ since }, begins] = [await acme(), journaled()];
      bench.simulator.faults.set({ rules: [{ match: { path: list }, fault }] });
      await edit('Written by the author whose list fails');
      await push('umbrella/last');
      await bench.poll();
      expect(timesAsked(list, begins)).toBeGreaterThanOrEqual(5);
      expect(timesAsked(list, begins)).toBeLessThanOrEqual(6);
      expect(await bench.differences()).not.toContain('umbrella/last');
      expect((await acme()).since).toBe(since);
      bench.simulator.faults.clear();
      await bench.poll();
      expect(await bench.differences()).toBe('');
      expect((await acme()).since).not.toBe(since);
    },
  );

  test('of all: one is tried five times, the others once', async () => {
    const begins = journaled();
    const [row] = await bench.sql<{ n: number }[]>`
      select count(*)::int as n from workspace_authors a join workspaces w on w.id = a.workspace_id where w.slug = 'acme'`;
    bench.simulator.faults.set({
      rules: [{ match: { path: '/workspaces/acme/pullrequests/' }, fault: { kind: 'status', status: 555 } }],
    });
    await bench.poll();
    expect(timesAsked('/workspaces/acme/pullrequests/', begins)).toBe(row!.n + 4);
  });

  test.each([{ kind: 'wrong_shape' }, { kind: 'status', status: 403 }])(
    'of repositories, by %j: git is asked of each, and later workspaces and the rotation have their turn',
    async (fault) => {
      const { since } = await acme();
      bench.simulator.faults.set({ rules: [{ match: { path: '/repositories/acme\\?' }, fault }] });
      for (const repository of [REPOSITORY, 'umbrella/last']) await push(repository);
      await bench.sql`update repository_syncs set rotated_at = now() - interval '1 hour' where repository_id = ${subjectId}`;
      await bench.poll();
      expect(await bench.differences()).toBe('');
      expect((await acme()).since).toBe(since);
      const [row] = await bench.sql`select rotated_at > now() - interval '1 minute' as rotated
        from repository_syncs where repository_id = ${subjectId}`;
      expect(row).toEqual({ rotated: true });
    },
  );

  test('of repositories, and each by itself: two are looked up, and nothing else is asked of the workspace', async () => {
    const [{ since }, begins] = [await acme(), journaled()];
    const fault = { kind: 'status', status: 404 };
    const [ofWorkspace, byUuid] = ['/repositories/acme[/?]', '/repositories/(%7B%7D|\\{\\})/'];
    bench.simulator.faults.set({ rules: [ofWorkspace, byUuid].map((path) => ({ match: { path }, fault })) });
    for (const repository of [REPOSITORY, 'umbrella/last']) await push(repository);
    await bench.poll();
    const paths = bench.simulator.journal.since(begins).map(({ path }) => path);
    expect(paths.filter((path) => path.includes('/acme'))).toHaveLength(1);
    expect(paths.filter((path) => new RegExp(byUuid).test(path))).toHaveLength(2);
    expect(await bench.differences()).not.toContain('umbrella/last');
    expect((await acme()).since).toBe(since);
    bench.simulator.faults.clear();
    await bench.poll();
    expect(await bench.differences()).toBe('');
  });
});

test('a workspace was renamed, and a stranger has its slug: nothing of that one is stored, and what changed is found behind the new slug', async () => {
  const [workspace] = await bench.sql<
    { uuid: string }[]
  >`select provider_uuid as uuid from workspaces where slug = 'acme'`;
  const { login, secret } = bench.simulator.credential('api_token.admin');
  const headers = { authorization: `Basic ${Buffer.from(`${login ?? ''}:${secret}`).toString('base64')}` };
  const list = await fetch(`${bench.simulator.apiUrl}/repositories/acme?pagelen=1`, { headers });
  // Whose everything is another one's; names stay.
  const theirs = (await list.text()).replaceAll(/[{][0-9a-f]/g, (start) => `{${start === '{0' ? '1' : '0'}`);
  expect(theirs).not.toContain(workspace!.uuid);
  const answer = (body: string) => ({ kind: 'status', status: 200, content_type: 'application/json', body });
  await edit('Under the new slug');
  bench.simulator.faults.set({
    rules: [
      { match: { path: '/repositories/acme\\?' }, fault: answer(theirs.replace('"next"', '"_next"')) },
      { match: { path: '/workspaces/acme/' }, fault: answer('{"values": [], "pagelen": 50}') },
    ],
  });
  const before = await acme();
  const known = await bench.sql`select id from workspaces order by id`;
  await bench.poll();
  expect(await bench.sql`select id from workspaces order by id`).toEqual(known);
  expect((await acme()).since).toBe(before.since);
  bench.simulator.faults.clear();
  await bench.poll();
  expect(await bench.differences()).toBe('');
});

test('an account that may not ask by author asks by repository, in the same round, and after an hour for days', async () => {
  const byAuthor = '/workspaces/acme/pullrequests/';
  bench.simulator.faults.set({
    rules: [{ match: { path: byAuthor }, fault: { kind: 'status', status: 403 } }],
  });
  const round = async (title: string) => {
    const [{ since }, begins] = [await acme(), journaled()];
    await bench.sql`update repository_syncs set polled_at = polled_at - interval '2 days'`;
    await edit(title);
    bench.simulator.clock.advance(AN_HOUR_MS);
    await bench.poll();
    expect(await bench.differences()).toBe('');
    expect((await acme()).since).not.toBe(since);
    return timesAsked(byAuthor, begins) > 0;
  };
  expect(await round('While the authors may be given still')).toBe(true);
  await bench.sql`update workspace_authors set refused_at = refused_at - interval '61 minutes'`;
  expect(await round('An hour later')).toBe(true);
  await bench.sql`update workspace_polls set members_read_at = members_read_at - interval '2 days'`;
  expect(await round('Days later')).toBe(false);
  bench.simulator.faults.clear();
  await bench.sql`update workspace_polls set authors_refused_at = authors_refused_at - interval '3 days'`;
  expect(await round('When it is tried again')).toBe(true);
  expect((await acme()).method).toBe('authors');
});

describe('the watermark', () => {
  test('an author who is met again is asked for what was written since the members were listed before', async () => {
    expect((await acme()).method).toBe('authors');
    await edit('Written by nobody known');
    await passHours('authors');
    await bench.sql`update workspace_authors set seen_at = p.since + interval '1 minute'
      from workspace_polls p where p.workspace_id = workspace_authors.workspace_id and author_uuid = ${author}`;
    bench.simulator.clock.advance(20 * AN_HOUR_MS);
    await bench.poll();
    expect(await bench.differences()).toBe('');
  });

  test('quiet repositories are asked once a day: authors who are asked instead begin behind that day', async () => {
    await edit('Changed in a quiet repository');
    await passHours('repositories');
    bench.simulator.clock.advance(20 * AN_HOUR_MS);
    await bench.poll();
    expect((await acme()).method).toBe('authors');
    expect(await bench.differences()).toBe('');
  });

  test('a refusal that has passed says nothing about one weeks later', async () => {
    const list = `/workspaces/acme/pullrequests/${encodeURIComponent(author)}`;
    const refuse = () =>
      bench.simulator.faults.set({
        rules: [{ match: { path: list }, count: 1, fault: { kind: 'status', status: 404 } }],
      });
    refuse();
    await bench.poll();
    await bench.poll();
    await bench.sql`update workspace_authors set refused_at = refused_at - interval '3 weeks'`;
    const { since } = await acme();
    refuse();
    await edit('Written while the list was refused');
    bench.simulator.clock.advance(AN_HOUR_MS);
    await bench.poll();
    expect((await acme()).since).toBe(since);
    bench.simulator.clock.advance(AN_HOUR_MS);
    await bench.poll();
    expect(await bench.differences()).toBe('');
  });
});
