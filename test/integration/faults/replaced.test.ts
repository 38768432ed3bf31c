import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Replaced } from '../../../activities/streams/replaced.ts';
import type { Service } from '../../../workflows/words.ts';
import { acmeWorld } from '../../support/acmeWorld.ts';
import { createDeliveryBench, type DeliveryBench } from '../../support/deliveryBench.ts';

/**
 * A repository's name that another one got before anybody looked: the other one answers, to git and to the API. Its records
 * must not become those of the first.
 */
const SLUGS = [
  'deleted',
  'renamed',
  'relisted',
  'rewritten',
  'first',
  'first-listed',
  'first-renamed',
  'first-emptied',
  'ordinary',
];
const WORLD = acmeWorld([
  ...SLUGS.map((slug) => ({ slug, pullRequests: 3, commits: 6, tickets: 0 })),
  { slug: 'without-pull-requests', pullRequests: 0, commits: 6, tickets: 0 },
]);

let bench: DeliveryBench;
beforeAll(async () => {
  bench = await createDeliveryBench({ world: WORLD });
  await bench.discover();
});
afterAll(() => bench?.close());

const create = (slug: string) =>
  bench.mutate('repository.create', { workspace: 'acme', slug, pull_requests: 5, commits: 9 });
const now = (): number => bench.simulator.journal.since(0).at(-1)?.sequence ?? 0;
const asksForName = ({ path }: { path: string }): boolean => path.endsWith('?fields=uuid');
const READS: Service[][] = [['repositories'], ['pull_requests'], ['repositories', 'pull_requests']];
/** What is stored of each repository; a sync that fails may write that it was tried, but no record. */
const versions = () => bench.versions();

test('what is deleted and made anew under its name is another one: nothing is read from it', async () => {
  const id = await bench.importRepository('acme/deleted');
  const before = await versions();
  await bench.mutate('repository.delete', { repository: 'acme/deleted' });
  await create('deleted');
  for (const services of READS)
    await expect(bench.sync(id, services)).rejects.toMatchObject({
      name: new Replaced('').name,
      finding: { code: 'repository_replaced', remedy: expect.stringContaining('discover') },
    });
  expect(await versions()).toEqual(before);
});

test('an empty one too', async () => {
  const id = await bench.importRepository('acme/relisted');
  const before = await versions();
  await bench.mutate('repository.delete', { repository: 'acme/relisted' });
  await bench.mutate('repository.create', { workspace: 'acme', slug: 'relisted' });
  await expect(bench.sync(id, ['repositories'])).rejects.toBeInstanceOf(Replaced);
  expect(await versions()).toEqual(before);
});

test('what was renamed is read under the name that it has', async () => {
  const id = await bench.importRepository('acme/renamed');
  await bench.mutate('repository.rename', { repository: 'acme/renamed', slug: 'moved' });
  await create('renamed');
  await bench.mutate('pull_request.edit', { repository: 'acme/moved', number: 1, title: 'Edited' });
  await bench.sync(id, ['pull_requests']);
  const title = await bench.sql`select title from pull_requests where repository_id = ${id} and number = 1`;
  expect(title).toMatchObject([{ title: 'Edited' }]);
  await bench.mutate('repository.rename', { repository: 'acme/moved', slug: 'moved-on' });
  await bench.mutate('repository.create', { workspace: 'acme', slug: 'moved', pull_requests: 2, commits: 3 });
  await bench.sync(id, ['repositories']);
  const [named] = await bench.sql`select full_name from repositories where id = ${id}`;
  expect(named).toMatchObject({ full_name: 'acme/moved-on' });
});

test('a history that was written anew as a whole is still its own, for one look-up', async () => {
  const id = await bench.importRepository('acme/rewritten');
  const author = { name: 'Ann', email: 'ann@example.com' };
  const change = (of: object) => bench.mutate('git', { repository: 'acme/rewritten', change: of });
  const [root] =
    await bench.sql`select hash from commits where repository_id = ${id} and parent_hashes = '{}'`;
  await change({
    kind: 'push',
    branch: 'main',
    onto: root?.['hash'],
    commits: [{ message: 'anew', author }],
  });
  for (const {
    name,
  } of await bench.sql`select name from branches where repository_id = ${id} and name <> 'main'`)
    await change({ kind: 'deleteBranch', name });
  for (const { name } of await bench.sql`select name from tags where repository_id = ${id}`)
    await change({ kind: 'deleteTag', name });
  const place = bench.simulator.journal.since(0).at(-1)?.sequence ?? 0;
  await bench.sync(id, ['repositories']);
  await bench.sync(id, ['repositories']);
  const lookUps = bench.simulator.journal.since(place).filter(({ path }) => /(?:%7B%7D|\{\})/.test(path));
  expect(lookUps).toHaveLength(1);
  const heads = await bench.sql`
    select c.message from branches b join commits c on c.repository_id = b.repository_id and c.hash = b.target_hash
    where b.repository_id = ${id} and b.name = 'main'`;
  expect(heads).toMatchObject([{ message: expect.stringContaining('anew') }]);
});

describe('before its first import', () => {
  test.each([
    ['first', 'without pull requests', { pull_requests: 0, commits: 9 }],
    ['first-listed', 'with pull requests', { pull_requests: 4, commits: 9 }],
  ])('another one is not read by git either (%s): %s', async (slug, _, other) => {
    const before = await versions();
    await bench.mutate('repository.delete', { repository: `acme/${slug}` });
    await bench.mutate('repository.create', { workspace: 'acme', slug, ...other });
    await expect(bench.importRepository(`acme/${slug}`)).rejects.toMatchObject({
      finding: { code: 'repository_replaced' },
    });
    expect(await versions()).toEqual(before);
  });

  test.each([
    ['first-renamed', 'with pull requests', { pull_requests: 5, commits: 9 }],
    ['first-emptied', 'without pull requests', { pull_requests: 0, commits: 9 }],
  ])('one is read under the name that it has, not what has its old one (%s): %s', async (slug, _, other) => {
    await bench.mutate('repository.rename', { repository: `acme/${slug}`, slug: `${slug}-moved` });
    await bench.mutate('repository.create', { workspace: 'acme', slug, ...other });
    const id = await bench.importRepository(`acme/${slug}`);
    const [named] = await bench.sql`select full_name from repositories where id = ${id}`;
    expect(named).toMatchObject({ full_name: `acme/${slug}-moved` });
    const [stored] = await bench.sql`
      select (select count(*)::int from pull_requests where repository_id = ${id}) as "pullRequests",
        (select count(*)::int from commits where repository_id = ${id}) as commits`;
    expect(stored).toEqual({ pullRequests: 3, commits: 7 });
  });

  test('the name is looked up where no pull request says whose it is, and not where one does', async () => {
    const since = now();
    await bench.importRepository('acme/ordinary');
    expect(bench.simulator.journal.since(since).filter(asksForName)).toEqual([]);
    const after = now();
    await bench.importRepository('acme/without-pull-requests');
    expect(bench.simulator.journal.since(after).filter(asksForName)).toHaveLength(1);
  });
});
