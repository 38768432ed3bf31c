import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { below, type Random } from '../../support/badAnswers.ts';
import { churnToItsEnd } from '../../support/churnToItsEnd.ts';
import { createDeliveryBench, type DeliveryBench, type Event } from '../../support/deliveryBench.ts';
import { FINDABLE_CHANGES } from '../../support/findableChanges.ts';
import { seededRandom } from '../../support/seededRandom.ts';
import { overSeeds, seeds, seedsTimeoutMs } from '../../support/seeds.ts';

/**
 * Events before, during and after the import of their repository, and while nobody here knows it (reliability.md, F45): the
 * source changes at random moments, each event comes at any moment behind its change, and all ends equal to the source.
 */
const REPOSITORY = 'acme/subject';
const PULL_REQUESTS = 6;
const PHASES = ['unknown', 'discovered', 'importing', 'imported'] as const;
type Phase = (typeof PHASES)[number];
/** Until the import is over, and again behind it. */
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
/** By their clock: a token of the simulated host lasts for a year. */
const SEEDS_A_HOST = 500;
afterAll(() => bench?.close());

let edits = 0;
async function anyChange(random: Random): Promise<string> {
  if (below(random, 8) === 0) {
    edits += 1;
    await bench.mutate('repository.edit', { repository: REPOSITORY, description: `Described ${edits}` });
    return 'repository.edit';
  }
  const seed = below(random, 2 ** 31);
  const plan = { seed, changes: 1, kinds: FINDABLE_CHANGES, repositories: [REPOSITORY] };
  await churnToItsEnd(bench.simulator, plan, 30_000);
  return `churn ${String(seed)}`;
}

/**
 * What happens in a phase, in turn; a moment of the import is one of its requests. `inEach`: something changes and is told of
 * in the first moment of each phase, and not only by chance.
 */
function scheduleOf(random: Random, { inEach }: { inEach: boolean }) {
  const waiting: Event[] = [];
  const done: string[] = [];
  const begun = new Set<Phase>();
  const told = new Set<Phase>();
  let left = CHANGES;
  async function moment(phase: Phase): Promise<void> {
    bench.simulator.clock.advance(BETWEEN_MS);
    const isFirst = !begun.has(phase);
    begun.add(phase);
    if (isFirst && phase === 'imported') left = CHANGES;
    const isSure = inEach && isFirst;
    if (isSure || (left > 0 && random() < 0.6)) {
      left -= 1;
      const place = bench.mark();
      done.push(`${phase}: ${await anyChange(random)}`);
      waiting.push(...bench.since(place));
    }
    if (isSure) await deliver(phase);
    while (waiting.length > 0 && random() < 0.5) await deliver(phase);
  }
  async function deliver(phase: Phase): Promise<void> {
    const [event] = waiting.splice(below(random, waiting.length), 1);
    done.push(`${phase}: told of ${event!.delivery.event}`);
    told.add(phase);
    await bench.deliver(event!);
    // Some come together.
    if (random() < 0.7) await bench.relay();
  }
  return {
    moment,
    done,
    told,
    rest: async (): Promise<void> => {
      while (waiting.length > 0) await deliver('imported');
      await bench.relay();
    },
  };
}

test('events at any moment around an import end in the state of the source', async () => {
  let before = 0;
  await overSeeds(seeds(4), async (seed) => {
    before += 1;
    if (before % SEEDS_A_HOST === 0) {
      await bench.close();
      bench = await createDeliveryBench({ world: WORLD });
    }
    const random = seededRandom(seed);
    await bench.forget();
    await bench.mutate('repository.reset', { repository: REPOSITORY });
    const inEach = seed % 2 === 0;
    const { moment, done, told, rest } = scheduleOf(random, { inEach });
    const moments = 1 + below(random, 4);
    for (let n = 0; n < moments; n += 1) await moment('unknown');
    await bench.discover();
    for (let n = 0; n < moments; n += 1) await moment('discovered');
    await bench.importRepository(REPOSITORY, () => moment('importing'));
    for (let n = 0; n < moments; n += 1) await moment('imported');
    await rest();
    expect(await bench.differences(), `seed ${String(seed)}: ${done.join(', ')}`).toBe('');
    if (inEach) expect([...told], `seed ${String(seed)}`).toEqual(PHASES);
  });
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
