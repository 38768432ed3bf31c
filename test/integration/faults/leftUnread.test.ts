import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { createDeliveryBench, type DeliveryBench } from '../../support/deliveryBench.ts';
import { seedsTimeoutMs } from '../../support/seeds.ts';

/**
 * What poll rounds pass over while nobody reads it, and would never come back to: a comment that is edited moves the date of its
 * pull request, and leaves no entry in the feed.
 */
const REPOSITORY = 'acme/subject';
/** More than there are authors: changed pull requests are asked for by author. */
const SLUGS = ['subject', ...Array.from({ length: 11 }, (_, index) => `other-${index}`)];
const WORLD = {
  contributors: 3,
  members: 2,
  workspaces: [{ slug: 'acme', name: 'acme', projects: [{ key: 'ENG', name: 'Engineering' }] }],
  repositories: SLUGS.map((slug) => ({
    workspace: 'acme',
    slug,
    project: 'ENG',
    pullRequests: 2,
    commits: 4,
    tickets: 0,
  })),
};
const AN_HOUR_MS = 3_600_000;

vi.setConfig({ testTimeout: seedsTimeoutMs() });

let bench: DeliveryBench;
let subjectId: string;
let comment: number;
beforeAll(async () => {
  bench = await createDeliveryBench({ world: WORLD });
  await bench.discover();
  const ids = new Map<string, string>();
  for (const slug of SLUGS) ids.set(slug, await bench.importRepository(`acme/${slug}`));
  subjectId = ids.get('subject')!;
  const added = await bench.mutate('comment.add', { repository: REPOSITORY, number: 1, raw: 'First' });
  ({ id: comment } = added as { id: number });
});
afterAll(() => bench?.close());
beforeEach(async () => {
  await pass(2);
  const left = await bench.differences();
  if (left !== '') throw new Error(`It does not begin with what the source has: ${left}`);
});

/** Hours with a poll round each, whose rotation comes by the repository. */
async function pass(hours: number): Promise<void> {
  for (let hour = 0; hour < hours; hour += 1) {
    await bench.sql`update repository_syncs set rotated_at = now() - interval '1 day'`;
    bench.simulator.clock.advance(AN_HOUR_MS);
    await bench.poll();
  }
}

let edits = 0;
async function editComment(): Promise<void> {
  edits += 1;
  await bench.mutate('comment.edit', { repository: REPOSITORY, number: 1, comment, raw: `Edit ${edits}` });
  bench.simulator.clock.advance(AN_HOUR_MS);
}

const missed = async (): Promise<unknown> =>
  (await bench.sql`select missed from repository_syncs where repository_id = ${subjectId}`)[0]?.['missed'];

/** With the repository in hand, behind the list of pull requests and before their comments. */
async function cancelledImport(): Promise<void> {
  const stored = async () =>
    (
      await bench.sql`select updated_on::text as at from pull_requests
        where repository_id = ${subjectId} and number = 1`
    )[0]!['at'];
  const before = await stored();
  await expect(
    bench.importRepository(REPOSITORY, async () => {
      if ((await stored()) !== before) throw new Error('the list is read');
    }),
  ).rejects.toThrow('the list is read');
  const [row] = await bench.sql<{ id: string }[]>`
    select id from imports where kind = 'import' order by created_at desc limit 1`;
  await bench.cancelImport(row!.id);
}

test('an import is cancelled behind a list and before what hangs on it: the next round reads that', async () => {
  await editComment();
  await cancelledImport();
  expect(await missed()).toEqual(['pull_requests', 'repositories', 'tickets']);
  await pass(1);
  expect(await bench.differences()).toBe('');
});

test('an import of what was missed while a service was off is cancelled before the turn of a repository', async () => {
  const switchTo = (services: string) => bench.sql`update integrations set services = ${services}`;
  await switchTo('{repositories}');
  await editComment();
  await pass(2);
  await switchTo('{repositories,pull_requests,tickets}');
  await bench.cancelImport(await bench.beginImport(['pull_requests', 'tickets']));
  expect(await missed()).toEqual(['pull_requests', 'tickets']);
  await pass(1);
  expect(await bench.differences()).toBe('');
});

test('an import of everything that is cancelled before the turn of a repository leaves nothing of it unread', async () => {
  await bench.cancelImport(await bench.beginImport());
  expect(await missed()).toBeNull();
});

test('a repository was out of reach for a while: when it is seen again, the next round reads it', async () => {
  await bench.sql`update integration_repositories set presence = 'no_access' where repository_id = ${subjectId}`;
  await editComment();
  await pass(2);
  expect(await bench.differences()).not.toBe('');
  await bench.discover();
  await pass(1);
  expect(await bench.differences()).toBe('');
});
