import { afterAll, beforeAll, expect, test } from 'vitest';
import { askRange } from '../../../db/queries/syncRanges.ts';
import { acmeWorld } from '../../support/acmeWorld.ts';
import { createDeliveryBench, type DeliveryBench } from '../../support/deliveryBench.ts';

/** What differs from the source although nothing there says so: a person has an old range read again. */
const WORLD = acmeWorld([{ slug: 'first', pullRequests: 30, commits: 10, tickets: 3 }]);

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
    where number = (select number from pull_requests where repository_id = ${id} order by updated_on limit 1)
    returning number, updated_on::text as since`;
  await bench.sync(id, ['repositories', 'pull_requests', 'tickets']);
  expect(await bench.differences()).toContain(`pull_request ${String(oldest?.['number'])} of acme/first`);

  const since = String(oldest?.['since']);
  await bench.asApi((tx) => askRange(tx, { integrationId: bench.integrationId, since }));
  await bench.asApi((tx) =>
    askRange(tx, { integrationId: bench.integrationId, repositoryId: id, since: new Date().toISOString() }),
  );
  // What a push wakes takes the range, and whoever reads pull requests next begins there.
  await bench.sync(id, ['repositories']);
  await bench.sync(id, ['pull_requests']);
  expect(await bench.differences()).toBe('');
  expect(await bench.sql`select from sync_ranges`).toHaveLength(0);
});
