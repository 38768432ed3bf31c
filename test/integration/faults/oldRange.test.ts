import { afterAll, beforeAll, expect, test } from 'vitest';
import { askRange } from '../../../db/queries/syncRanges.ts';
import { acmeWorld } from '../../support/acmeWorld.ts';
import { createDeliveryBench, type DeliveryBench } from '../../support/deliveryBench.ts';

/** What differs from the source although nothing there says so: a person has an old range read again. */
const WORLD = acmeWorld([
  { slug: 'first', pullRequests: 30, commits: 10, tickets: 3 },
  { slug: 'unasked', pullRequests: 5, commits: 5, tickets: 0 },
  { slug: 'long', pullRequests: 60, commits: 10, tickets: 0 },
]);

let bench: DeliveryBench;
beforeAll(async () => {
  bench = await createDeliveryBench({ world: WORLD });
  await bench.discover();
});
afterAll(() => bench?.close());

test('a sync reads on from the last one; asked for a range it reads that again, once', async () => {
  const id = await bench.importRepository('acme/first');
  expect(await bench.differences()).toBe('');
  const [oldest] = await bench.sql`
    update pull_requests set title = 'as it never was', updated_on = updated_on - interval '1 second'
    where repository_id = ${id} and number = (select number from pull_requests where repository_id = ${id} order by updated_on limit 1)
    returning number, updated_on::text as since`;
  await bench.sync(id, ['repositories', 'pull_requests', 'tickets']);
  expect(await bench.differences()).toContain(`pull_request ${String(oldest?.['number'])} of acme/first`);

  const since = String(oldest?.['since']);
  await bench.asApi((tx) => askRange(tx, { integrationId: bench.integrationId, since }));
  await bench.asApi((tx) =>
    askRange(tx, { integrationId: bench.integrationId, repositoryId: id, since: new Date().toISOString() }),
  );
  // What a push wakes takes the range, and reads all that it is about.
  await bench.sync(id, ['repositories']);
  expect(await bench.differences()).toBe('');
  expect(await bench.sql`select from sync_ranges`).toHaveLength(0);
});

test('a range that nobody took is taken by the next poll round', async () => {
  const id = await bench.importRepository('acme/unasked');
  const [oldest] = await bench.sql`
    update pull_requests set title = 'as it never was', updated_on = updated_on - interval '1 second'
    where repository_id = ${id} and number = (select number from pull_requests where repository_id = ${id} order by updated_on limit 1)
    returning updated_on::text as since`;
  const since = String(oldest?.['since']);
  await bench.asApi((tx) => askRange(tx, { integrationId: bench.integrationId, repositoryId: id, since }));
  await bench.sql`update sync_ranges set asked_at = asked_at - interval '16 minutes'`;
  await bench.poll();
  expect(await bench.differences()).toBe('');
});

test('a range is read again from its beginning where a walk broke off in the middle of it', async () => {
  const id = await bench.importRepository('acme/long');
  const [oldest] = await bench.sql`
    select min(updated_on)::text as since from pull_requests where repository_id = ${id}`;
  const since = String(oldest?.['since']);
  await bench.sql`update streams set watermark = ${since} where repository_id = ${id} and watermark is not null`;
  const secondPage = { path: '/acme/long/pullrequests\\?.*id%3E[1-9]' };
  bench.simulator.faults.set({ rules: [{ match: secondPage, fault: { kind: 'status', status: 500 } }] });
  await expect(bench.sync(id, ['pull_requests'])).rejects.toMatchObject({ type: 'Upstream' });
  bench.simulator.faults.clear();
  await bench.sql`update imports set state = 'completed_with_failures', finished_at = now() where finished_at is null`;
  await bench.sql`update import_repositories set state = 'failed' where state = 'running'`;
  await bench.asApi((tx) => askRange(tx, { integrationId: bench.integrationId, repositoryId: id, since }));
  const before = bench.simulator.journal.since(0).length;
  await bench.sync(id, ['pull_requests']);
  const asked = bench.simulator.journal.since(0).slice(before);
  const pages = asked.flatMap(({ path }) => /\/pullrequests\?.*id%3E(\d+)/.exec(path)?.[1] ?? []);
  // Behind them comes the closing pass.
  expect(pages.slice(0, 2)).toEqual(['0', '50']);
  expect(await bench.differences()).toBe('');
});
