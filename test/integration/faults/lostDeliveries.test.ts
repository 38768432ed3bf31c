import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { acmeWorld } from '../../support/acmeWorld.ts';
import { churnToItsEnd } from '../../support/churnToItsEnd.ts';
import {
  createDeliveryBench,
  type DeliveryBench,
  type Event,
  LARGEST_BYTES,
} from '../../support/deliveryBench.ts';
import { seededRandom } from '../../support/seededRandom.ts';
import { isSoak, seeds, seedsTimeoutMs } from '../../support/seeds.ts';

/**
 * Deliveries that never come (reliability.md, F42): one in twenty, every one that is too large to be sent, or all. Poll
 * rounds alone must bring what they told.
 */
const SLUGS = ['first', 'second'];
const REPOSITORIES = SLUGS.map((slug) => `acme/${slug}`);
const WORLD = acmeWorld(SLUGS.map((slug) => ({ slug, pullRequests: 8, commits: 8, tickets: 0 })));
const CHANGES = isSoak() ? 100 : 30;
const BETWEEN_MS = 20 * 60_000;
/** Beyond the interval of the rounds: what a round finds is stored within a minute (F42). */
const STALE_MS = 60_000;
/** Changes that can be found without their webhook. */
const KINDS = [
  'push',
  'force_push',
  'branch.delete',
  'tag.create',
  'pull_request.create',
  'pull_request.edit',
  'pull_request.reviewers',
  'pull_request.approve',
  'pull_request.merge',
  'pull_request.decline',
  'comment.add',
  'comment.edit',
  'comment.delete',
  'comment.resolve',
  'repository.edit',
];

vi.setConfig({ testTimeout: seedsTimeoutMs() });

let bench: DeliveryBench;
beforeAll(async () => {
  bench = await createDeliveryBench({ world: WORLD });
  await bench.discover();
  for (const name of REPOSITORIES) await bench.importRepository(name);
});
afterAll(() => bench?.close());

const churn = (seed: number): Promise<void> =>
  churnToItsEnd(
    bench.simulator,
    { seed, changes: CHANGES, kinds: KINDS, repositories: REPOSITORIES },
    120_000,
  );

/** A pull request whose events are larger than Bitbucket sends. */
async function largeChange(seed: number): Promise<void> {
  const repository = REPOSITORIES[seed % 2]!;
  const description = `${String(seed)} ${'x'.repeat(LARGEST_BYTES)}`;
  await bench.mutate('pull_request.edit', { repository, number: 1, description });
  await bench.mutate('pull_request.edit', { repository, number: 1, title: `Large ${String(seed)}` });
}

const isLarge = ({ entry }: Event): boolean => entry.bytes > LARGEST_BYTES;

const LOSSES: Record<string, (random: () => number) => (event: Event) => boolean> = {
  'one in twenty': (random) => (event) => isLarge(event) || random() < 0.05,
  'every one over 256 KB': () => isLarge,
  all: () => () => true,
};

/** Changes the source and hands on what it tells of it, but for what is lost: that is given. */
async function told(isLost: (event: Event) => boolean, make: () => Promise<void>): Promise<Event[]> {
  const place = bench.mark();
  await make();
  const lost: Event[] = [];
  for (const event of bench.since(place)) {
    if (isLost(event)) lost.push(event);
    else await bench.deliver(event);
  }
  await bench.relay();
  return lost;
}

describe('F42: deliveries are lost', () => {
  test.each(Object.keys(LOSSES))('%s: poll rounds bring what they told', async (name) => {
    for (const seed of seeds(1)) {
      const run = `seed ${String(seed)}`;
      const isLost = LOSSES[name]!(seededRandom(seed));
      bench.simulator.clock.advance(BETWEEN_MS);
      const lost = [
        ...(await told(isLost, () => churn(seed))),
        ...(await told(isLost, () => largeChange(seed))),
      ];
      expect(lost.length, run).toBeGreaterThan(0);
      bench.simulator.clock.advance(BETWEEN_MS);
      let rounds = 0;
      // Votes show in the feed only, which a round looks at in one repository after the other.
      for (let left = await bench.differences(); left !== ''; left = await bench.differences()) {
        expect(rounds, `${run}: ${left}`).toBeLessThan(1 + REPOSITORIES.length);
        const began = performance.now();
        await bench.poll();
        expect(performance.now() - began, run).toBeLessThan(STALE_MS);
        rounds += 1;
      }
      // Large ones are lost in each case, and nothing else tells of that change.
      expect(rounds, run).toBeGreaterThan(0);
    }
  });
});
