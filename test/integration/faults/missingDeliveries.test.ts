import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { presentTarget } from '../../../api/schemas/webhooks.ts';
import { listTargets, readMissing, readUpkeepRow } from '../../../db/queries/api/webhookCoverage.ts';
import { createDeliveryBench, type DeliveryBench, type Event } from '../../support/deliveryBench.ts';
import { seedsTimeoutMs } from '../../support/seeds.ts';

/**
 * A webhook whose deliveries do not arrive: polls find what it should have told of. The pull requests of `acme` are asked for
 * by author, those of `umbrella` by repository.
 */
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
  ].map((one) => ({ ...one, project: 'ENG', pullRequests: 2, commits: 3, tickets: 0 })),
};

vi.setConfig({ testTimeout: seedsTimeoutMs() });

let bench: DeliveryBench;
beforeAll(async () => {
  bench = await createDeliveryBench({ world: WORLD });
  await bench.discover();
  for (const { workspace, slug } of WORLD.repositories) await bench.importRepository(`${workspace}/${slug}`);
  await bench.poll();
});
afterAll(() => bench?.close());
beforeEach(async () => {
  await bench.sql`delete from webhook_deliveries`;
  await bench.sql`delete from audit_events`;
  await bench.sql`update repository_syncs set push_awaited = null, pull_request_awaited = null, polled_at = null,
    rotated_at = now() + interval '1 hour'`;
  await hookOf('acme');
});

/** The hook is this workspace's, or (`acme/subject`) this repository's, and stands since an hour. */
const hookOf = (name: string) => bench.sql`
  update webhooks w set scope = case when r.id is null then 'workspace' else 'repository' end, repository_id = r.id,
    workspace_id = s.id, state = 'active', events = '{repo:push,pullrequest:updated}', missing_since = null,
    missing_changes = 0, missing_changed_at = null, watching_since = now() - interval '1 hour'
  from workspaces s left join repositories r on r.workspace_id = s.id and r.full_name = ${name}
  where s.slug = ${name.split('/')[0]!}`;

async function toldOf(change: Promise<unknown>): Promise<Event[]> {
  const place = bench.mark();
  await change;
  return bench.since(place);
}
const push = (repository: string) => {
  const commits = [{ message: 'Pushed\n', author: { name: 'Mia', email: 'mia@example.com' } }];
  return bench.mutate('git', { repository, change: { kind: 'push', branch: 'main', commits } });
};
let edits = 0;
const edit = (repository: string) =>
  bench.mutate('pull_request.edit', { repository, number: 1, title: `Edit ${(edits += 1)}` });

/** All that was noted until now was noted so long before. */
async function pass(minutes: number): Promise<void> {
  const by = bench.sql`make_interval(mins => ${minutes})`;
  await bench.sql`update repository_syncs set push_awaited = push_awaited - ${by},
    pull_request_awaited = pull_request_awaited - ${by}`;
  await bench.sql`update webhook_deliveries set received_at = received_at - ${by}`;
  await bench.sql`update webhooks set watching_since = watching_since - ${by}, missing_since = missing_since - ${by}`;
}
/** A poll round that finds what changed, and one ten minutes behind it. */
async function pollTwice(): Promise<void> {
  await bench.poll();
  await pass(10);
  await bench.sql`update repository_syncs set polled_at = null`;
  await bench.poll();
}
async function missing() {
  const [row] = await bench.sql<{ since: Date | null; changes: number; changed: Date | null }[]>`
    select missing_since as since, missing_changes as changes, missing_changed_at as changed from webhooks`;
  return row!;
}
const isFlagged = async () => (await missing()).since !== null;
const audit = async () =>
  (
    await bench.sql<{ action: string; details: object }[]>`
      select action, details from audit_events where action like 'webhook%' order by id`
  ).map((row) => ({ ...row }));
/** A hook as the API shows it. */
const shown = () =>
  bench.asApi(async (tx) => {
    const { integrationId } = bench;
    const page = { integrationId, mode: undefined, after: null, limit: 1 };
    const [target] = await listTargets(tx, page);
    return presentTarget(await readUpkeepRow(tx, integrationId), target!).missing_deliveries;
  });

test('both ways to find changed pull requests are taken', async () => {
  const methods = await bench.sql<{ slug: string; method: string }[]>`
    select w.slug, p.method from workspace_polls p join workspaces w on w.id = p.workspace_id order by 1`;
  expect(methods.map(({ slug, method }) => `${slug} ${method}`)).toEqual([
    'acme authors',
    'umbrella repositories',
  ]);
});

test.each([
  ['a push', 'acme', () => push('acme/subject')],
  ['a pull request, asked for by author', 'acme', () => edit('acme/subject')],
  ['a pull request, asked for by repository', 'umbrella', () => edit('umbrella/last')],
  ['a push, by the hook of the repository', 'acme/subject', () => push('acme/subject')],
] as const)('%s that only a poll has found is missing at the webhook', async (_, name, change) => {
  await hookOf(name);
  await change();
  await bench.poll();
  expect(await isFlagged()).toBe(false);
  await pollTwice();
  expect(await missing()).toMatchObject({ changes: 1 });
  const scope = name.includes('/') ? 'repository' : 'workspace';
  const began = { action: 'webhook_deliveries_missing', details: { scope, name, changes: 1 } };
  expect(await audit()).toEqual([began]);
  await pollTwice();
  expect(await missing()).toMatchObject({ changes: 1 });
  expect(await audit()).toEqual([began]);
});

test('the API shows since when, how many, and what to do; each change counts once', async () => {
  await push('acme/subject');
  await push('acme/other-1');
  await pollTwice();
  await push('acme/subject');
  await pollTwice();
  const { since, changed } = await missing();
  expect(await shown()).toMatchObject({
    since: expect.stringContaining(since!.toISOString().slice(0, 19)),
    changes: 3,
    last_change_at: expect.stringContaining(changed!.toISOString().slice(0, 19)),
    finding: { code: 'webhook_deliveries_missing', remedy: expect.stringContaining('firewall') },
  });
  expect(await bench.asApi((tx) => readMissing(tx, bench.integrationId))).toMatchObject({
    webhooks: 1,
    changes: 3,
  });
  expect(await audit()).toHaveLength(1);
});

test('the next delivery ends it, whatever it tells of; one that had come before does not', async () => {
  const [before] = await toldOf(push('acme/other-2'));
  await bench.deliver(before!);
  await push('acme/subject');
  await pollTwice();
  await bench.relay();
  expect(await isFlagged()).toBe(true);
  const [next] = await toldOf(edit('acme/other-3'));
  await bench.deliver(next!);
  await bench.relay();
  expect(await missing()).toEqual({ since: null, changes: 0, changed: null });
  expect(await shown()).toBe(null);
  expect(await audit()).toEqual([
    { action: 'webhook_deliveries_missing', details: { scope: 'workspace', name: 'acme', changes: 1 } },
    { action: 'webhook_delivers_again', details: { scope: 'workspace', name: 'acme' } },
  ]);
});

test('nothing is missing where the delivery came before the poll, or while it was awaited, handed on or not', async () => {
  const [early] = await toldOf(push('acme/subject'));
  await bench.deliver(early!);
  const [late] = await toldOf(edit('acme/other-1'));
  await bench.poll();
  await bench.deliver(late!);
  await pass(10);
  await bench.poll();
  expect(await isFlagged()).toBe(false);
  await push('acme/other-2');
  const [again] = await toldOf(push('acme/other-2'));
  await bench.poll();
  await bench.deliver(again!);
  await bench.relay();
  await pass(10);
  await bench.poll();
  expect([await isFlagged(), await audit()]).toEqual([false, []]);
});

test('a delivery of another kind, of another repository, or of long before is not the one that is missing', async () => {
  const [old] = await toldOf(push('acme/subject'));
  await bench.deliver(old!);
  await pass(30);
  const other = [...(await toldOf(edit('acme/subject'))), ...(await toldOf(push('acme/other-4')))];
  for (const event of other) await bench.deliver(event);
  await push('acme/subject');
  await pollTwice();
  expect(await missing()).toMatchObject({ changes: 1 });
});

test.each([
  ['before it was registered', 'acme', { watching_since: new Date() }],
  ['of which it is not told', 'acme', { events: ['pullrequest:updated'] }],
  ['while it does not stand', 'acme', { state: 'failed' }],
  ['with a registration of which nothing is known', 'acme', { watching_since: null }],
  ['in a workspace without a hook', 'umbrella', {}],
  ['in a repository without a hook', 'acme/other-5', {}],
])('no webhook misses a push %s', async (_, name, hook) => {
  await hookOf(name);
  if (Object.keys(hook).length > 0) await bench.sql`update webhooks set ${bench.sql(hook)}`;
  await push('acme/subject');
  await pollTwice();
  expect([await isFlagged(), await audit()]).toEqual([false, []]);
});

test('what was awaited for longer than deliveries are kept is not judged', async () => {
  await push('acme/subject');
  await bench.poll();
  await pass(7 * 24 * 60);
  await bench.poll();
  expect(await isFlagged()).toBe(false);
  const [row] =
    await bench.sql`select count(*)::int as n from repository_syncs where push_awaited is not null`;
  expect(row).toEqual({ n: 0 });
});
