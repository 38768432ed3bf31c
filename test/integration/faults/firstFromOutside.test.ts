import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { createDeliveryBench, type DeliveryBench } from '../../support/deliveryBench.ts';

/**
 * The first pull request of a repository that had none when it was imported, from a fork that nobody sees, by somebody who
 * belongs to no workspace and never wrote one: told by a delivery, or found by poll rounds alone. The pull requests of `acme`
 * are asked for by author, those of `umbrella` by repository.
 */
const EMPTY = ['acme/told', 'acme/found', 'umbrella/found'] as const;
/** More than there are authors. */
const OTHERS = Array.from({ length: 11 }, (_, index) => `other-${index}`);
const repository = (workspace: string, slug: string, pullRequests: number) => ({
  workspace,
  slug,
  project: 'ENG',
  pullRequests,
  commits: 4,
  tickets: 0,
});
const WORLD = {
  contributors: 3,
  members: 2,
  workspaces: ['acme', 'umbrella'].map((slug) => ({
    slug,
    name: slug,
    projects: [{ key: 'ENG', name: 'Engineering' }],
  })),
  repositories: [
    ...EMPTY.map((name) => repository(name.split('/')[0]!, name.split('/')[1]!, 0)),
    ...OTHERS.map((slug) => repository('acme', slug, 2)),
  ],
};
const AN_HOUR_MS = 3_600_000;
const STRANGER = { user: 'outsider' };

let bench: DeliveryBench;
const ids = new Map<string, string>();
beforeAll(async () => {
  bench = await createDeliveryBench({ world: WORLD });
  await bench.discover();
  for (const { workspace, slug } of WORLD.repositories) {
    const name = `${workspace}/${slug}`;
    ids.set(name, await bench.importRepository(name));
  }
});
afterAll(() => bench?.close());

/** All was asked for an hour ago, and nothing is to be looked at by itself. */
beforeEach(async () => {
  bench.simulator.clock.advance(AN_HOUR_MS);
  await bench.poll();
  await bench.sql`update repository_syncs set rotated_at = now() + interval '1 hour'`;
  bench.simulator.clock.advance(AN_HOUR_MS);
});

/** Gives the place before it among the source's events. */
async function fromOutside(name: string): Promise<number> {
  const change = (kind: string, more: object) => bench.mutate(kind, { repository: name, ...more });
  const commits = [{ message: 'Mend it\n', author: { name: 'Olga', email: 'olga@example.com' } }];
  await change('git', { change: { kind: 'push', branch: 'mended', commits } });
  const place = bench.mark();
  await change('pull_request.create', {
    ...STRANGER,
    title: 'Mended',
    source: 'mended',
    source_repository: 'gone',
    reviewers: ['member'],
  });
  await change('git', { change: { kind: 'deleteBranch', name: 'mended' } });
  await change('comment.add', { ...STRANGER, number: 1, raw: 'Please have a look.' });
  await change('pull_request.approve', { number: 1, user: 'member' });
  return place;
}

const stored = (name: string) =>
  bench.sql`select p.number, a.display_name as author, p.source_repository_uuid as fork,
      (select count(*)::int from pull_request_comments c where c.repository_id = p.repository_id) as comments,
      (select array_agg(e.kind order by e.kind) from pull_request_activity e
        where e.repository_id = p.repository_id) as entries
    from pull_requests p left join accounts a on a.provider_uuid = p.author_uuid
    where p.repository_id = ${ids.get(name)!}`;

async function expectStored(name: string): Promise<void> {
  const entries = ['approval', 'comment', 'update'];
  expect(await stored(name)).toEqual([
    { number: 1, author: 'Olga Outsider', fork: null, comments: 1, entries },
  ]);
  expect(await bench.differences()).toBe('');
}

const isKnown = async (): Promise<boolean> => {
  const rows = await bench.sql`select 1 from workspace_authors w
    join accounts a on a.provider_uuid = w.author_uuid where a.display_name = 'Olga Outsider'`;
  return rows.length > 0;
};
/** Its turn in the rotation has come. */
const turnOf = (name: string) => bench.sql`
  update repository_syncs set rotated_at = now() - interval '1 day' where repository_id = ${ids.get(name)!}`;

test('its delivery alone brings it, with all that happened since', async () => {
  const place = await fromOutside('acme/told');
  expect(await stored('acme/told')).toEqual([]);
  const [created] = bench.since(place);
  expect(created?.delivery.event).toBe('pullrequest:created');
  await bench.deliver(created!);
  await bench.relay();
  await expectStored('acme/told');
});

test('a poll that asks by author does not know this one: the look at the repository itself finds it', async () => {
  await fromOutside('acme/found');
  await bench.poll();
  expect(await stored('acme/found')).toEqual([]);
  await turnOf('acme/found');
  await bench.poll();
  await expectStored('acme/found');
});

test('a day later the author is asked for by name, like all others', async () => {
  expect(await isKnown()).toBe(false);
  await bench.sql`update workspace_polls set members_read_at = members_read_at - interval '1 day'`;
  await bench.poll();
  expect(await isKnown()).toBe(true);
  bench.simulator.clock.advance(AN_HOUR_MS);
  const title = 'Mended in another way';
  await bench.mutate('pull_request.edit', { ...STRANGER, repository: 'acme/found', number: 1, title });
  expect(await bench.differences()).not.toBe('');
  await bench.poll();
  expect(await bench.differences()).toBe('');
});

test('a poll that asks by repository finds it', async () => {
  await fromOutside('umbrella/found');
  await bench.sql`update repository_syncs set polled_at = polled_at - interval '2 days'`;
  await bench.poll();
  await expectStored('umbrella/found');
});
