import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { below, pick, type Random } from '../../support/badAnswers.ts';
import { createDeliveryBench, type DeliveryBench, type Event } from '../../support/deliveryBench.ts';
import { seededRandom } from '../../support/seededRandom.ts';
import { seeds, seedsTimeoutMs } from '../../support/seeds.ts';

/**
 * Events before, during and after the import of their repository, and while nobody here knows it (reliability.md, F45): the
 * source changes at random moments, each event comes at any moment behind its change, and all ends equal to the source.
 */
const REPOSITORY = 'acme/subject';
const PULL_REQUESTS = 6;
const PHASES = ['unknown', 'discovered', 'importing', 'imported'] as const;
type Phase = (typeof PHASES)[number];
const CHANGES = 10;
/** Longer than a walk reaches back behind its watermark: no overlap hides a gap, and none of it counts as quick. */
const BETWEEN_MS = 20 * 60_000;
/** More than there are authors: so their pull requests are what a poll round asks for, not those of each repository. */
const OTHERS = Array.from({ length: 12 }, (_, index) => `other-${index}`);
const WORLD = {
  contributors: 4,
  members: 2,
  workspaces: ['acme', 'umbrella'].map((slug) => ({
    slug,
    name: slug,
    projects: [{ key: 'ENG', name: 'Engineering' }],
  })),
  repositories: ['subject', ...OTHERS].map((slug) => ({
    workspace: 'acme',
    project: 'ENG',
    slug,
    pullRequests: PULL_REQUESTS,
    commits: 8,
    tickets: 0,
  })),
};

vi.setConfig({ testTimeout: seedsTimeoutMs() });

let bench: DeliveryBench;
beforeAll(async () => {
  bench = await createDeliveryBench({ world: WORLD });
});
afterAll(() => bench?.close());

let topics = 0;
async function anyChange(random: Random): Promise<string> {
  const number = 1 + below(random, PULL_REQUESTS);
  topics += 1;
  const commits = [{ message: 'Meanwhile\n', author: { name: 'Mia', email: 'mia@example.com' } }];
  const [kind, more] = pick<[string, Record<string, unknown>]>(random, [
    ['pull_request.edit', { number, title: `Edited ${topics}` }],
    ['pull_request.approve', { number, user: pick(random, ['admin', 'member']) }],
    ['pull_request.request_changes', { number }],
    ['comment.add', { number, raw: `Said ${topics}` }],
    ['git', { change: { kind: 'push', branch: pick(random, ['main', `topic/${topics}`]), commits } }],
    ['repository.edit', { description: `Described ${topics}` }],
  ]);
  await bench.mutate(kind, { repository: REPOSITORY, ...more });
  return kind;
}

/** What happens in a phase, in turn; a moment of the import is one of its requests. */
function scheduleOf(random: Random) {
  const waiting: Event[] = [];
  const done: string[] = [];
  let left = CHANGES;
  async function moment(phase: Phase): Promise<void> {
    bench.simulator.clock.advance(BETWEEN_MS);
    if (left > 0 && random() < 0.6) {
      left -= 1;
      const place = bench.mark();
      done.push(`${phase}: ${await anyChange(random)}`);
      waiting.push(...bench.since(place));
    }
    while (waiting.length > 0 && random() < 0.5) await deliver(phase);
  }
  async function deliver(phase: Phase): Promise<void> {
    const [event] = waiting.splice(below(random, waiting.length), 1);
    done.push(`${phase}: told of ${event!.delivery.event}`);
    await bench.deliver(event!);
    // Some come together.
    if (random() < 0.7) await bench.relay();
  }
  return {
    moment,
    done,
    rest: async (): Promise<void> => {
      while (waiting.length > 0) await deliver('imported');
      await bench.relay();
    },
  };
}

test('events at any moment around an import end in the state of the source', async () => {
  const seen = new Set<string>();
  for (const seed of seeds(4)) {
    const random = seededRandom(seed);
    await bench.forget();
    await bench.mutate('repository.reset', { repository: REPOSITORY });
    const { moment, done, rest } = scheduleOf(random);
    const moments = 1 + below(random, 4);
    for (let n = 0; n < moments; n += 1) await moment('unknown');
    await bench.discover();
    for (let n = 0; n < moments; n += 1) await moment('discovered');
    await bench.importRepository(REPOSITORY, () => moment('importing'));
    for (let n = 0; n < moments; n += 1) await moment('imported');
    await rest();
    expect(await bench.differences(), `seed ${String(seed)}: ${done.join(', ')}`).toBe('');
    for (const word of done) if (word.includes('told of')) seen.add(word.split(':')[0]!);
  }
  // The event came in each phase.
  expect([...seen].toSorted()).toEqual([...PHASES].toSorted());
});

test('without webhooks: the round behind its first import brings in what changed while it was read', async () => {
  await bench.forget();
  await bench.mutate('repository.reset', { repository: REPOSITORY });
  await bench.discover();
  // Rounds ask about a workspace of which something is kept current already.
  for (const slug of OTHERS) await bench.importRepository(`acme/${slug}`);
  await bench.poll();
  const random = seededRandom(1);
  let requests = 0;
  await bench.importRepository(REPOSITORY, async () => {
    requests += 1;
    const commits = [{ message: 'Meanwhile\n', author: { name: 'Mia', email: 'mia@example.com' } }];
    await bench.mutate('git', { repository: REPOSITORY, change: { kind: 'push', branch: 'main', commits } });
    await bench.mutate('pull_request.edit', {
      repository: REPOSITORY,
      number: 1 + below(random, PULL_REQUESTS),
      title: `Edited ${requests}`,
    });
    bench.simulator.clock.advance(BETWEEN_MS);
    await bench.poll();
  });
  expect(requests).toBeGreaterThan(1);
  expect(await bench.differences()).not.toBe('');
  bench.simulator.clock.advance(BETWEEN_MS);
  await bench.poll();
  expect(await bench.differences()).toBe('');
});

test('a repository that moves to another workspace in the middle of its import is the same one there (F32)', async () => {
  await bench.forget();
  await bench.mutate('repository.reset', { repository: REPOSITORY });
  await bench.discover();
  const place = bench.mark();
  const moved = bench.importRepository(REPOSITORY, async () => {
    if (bench.since(place).length > 0) return;
    await bench.mutate('repository.transfer', { repository: REPOSITORY, workspace: 'umbrella' });
  });
  // A transferred repository leaves no redirect.
  await expect(moved).rejects.toMatchObject({ type: 'RepositoryGone' });
  for (const event of bench.since(place)) await bench.deliver(event);
  await bench.relay();
  await bench.importRepository('umbrella/subject');
  expect(await bench.differences()).toBe('');
  const rows = await bench.sql`select full_name from repositories where full_name like '%/subject'`;
  expect(rows.map((row) => row['full_name'] as string)).toEqual(['umbrella/subject']);
});
