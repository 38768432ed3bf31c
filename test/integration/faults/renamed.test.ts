import { afterAll, beforeAll, expect, test } from 'vitest';
import { RepositoryGone } from '../../../activities/bitbucket/errors.ts';
import { acmeWorld } from '../../support/acmeWorld.ts';
import { createDeliveryBench, type DeliveryBench } from '../../support/deliveryBench.ts';

/**
 * A repository that is renamed without a word of it (reliability.md, F32): git is not sent on to another address, where the
 * credential must not go. Its uuid still leads to it.
 */
const WORLD = acmeWorld(
  ['first', 'second'].map((slug) => ({ slug, pullRequests: 3, commits: 6, tickets: 0 })),
);

let bench: DeliveryBench;
beforeAll(async () => {
  bench = await createDeliveryBench({ world: WORLD });
  await bench.discover();
});
afterAll(() => bench?.close());

const lookUps = (since: number): number =>
  bench.simulator.journal.since(since).filter(({ path }) => /\/repositories\/(?:%7B%7D|\{\})\//.test(path))
    .length;
const now = (): number => bench.simulator.journal.since(0).at(-1)?.sequence ?? 0;

test('is read under its new name in the same sync, and looked up once', async () => {
  const id = await bench.importRepository('acme/first');
  await bench.mutate('repository.rename', { repository: 'acme/first', slug: 'other' });
  const author = { name: 'Ann', email: 'ann@example.com' };
  const push = { kind: 'push', branch: 'main', commits: [{ message: 'more', author }] };
  await bench.mutate('git', { repository: 'acme/other', change: push });
  const since = now();
  await bench.sync(id, ['repositories']);
  expect(lookUps(since)).toBe(1);
  await bench.sync(id, ['repositories', 'pull_requests']);
  expect(lookUps(since)).toBe(1);
  const stored = await bench.sql`
    select full_name from repositories where id = ${id}
    union all select full_name from repository_names where repository_id = ${id}`;
  expect(stored.map(({ full_name: name }) => String(name))).toEqual(['acme/other', 'acme/first']);
  expect(await bench.differences()).toBe('');
});

test('one that is not to be seen any more fails, and says so', async () => {
  const id = await bench.importRepository('acme/second');
  await bench.mutate('repository.delete', { repository: 'acme/second' });
  const since = now();
  await expect(bench.sync(id, ['repositories'])).rejects.toBeInstanceOf(RepositoryGone);
  expect(lookUps(since)).toBe(1);
});
