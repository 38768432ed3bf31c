import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { acmeWorld } from '../../support/acmeWorld.ts';
import { below } from '../../support/badAnswers.ts';
import { churnToItsEnd } from '../../support/churnToItsEnd.ts';
import { createDeliveryBench, type DeliveryBench, type Event } from '../../support/deliveryBench.ts';
import { FINDABLE_CHANGES } from '../../support/findableChanges.ts';
import { seededRandom } from '../../support/seededRandom.ts';
import { isSoak, seeds, seedsTimeoutMs } from '../../support/seeds.ts';

/**
 * What the source tells comes again, in another order or much later (reliability.md, F40, F41, F43). A delivery is a hint, so
 * Postgres must end as the source is, and a hint that brings nothing new must write nothing.
 */
const REPOSITORY = 'acme/subject';
const PULL_REQUESTS = 12;
const WORLD = acmeWorld([{ slug: 'subject', pullRequests: PULL_REQUESTS, commits: 10, tickets: 3 }]);
/** Longer than a sync reaches back behind its watermark: no overlap hides a gap. */
const BETWEEN_MS = 20 * 60_000;
const A_DAY_MS = 86_400_000;

vi.setConfig({ testTimeout: seedsTimeoutMs() });

let bench: DeliveryBench;
beforeAll(async () => {
  bench = await createDeliveryBench({ world: WORLD });
});
afterAll(() => bench?.close());
beforeEach(beginAnew);

/** The repository as the seed made it, imported a while ago. */
async function beginAnew(): Promise<void> {
  await bench.forget();
  await bench.mutate('repository.reset', { repository: REPOSITORY });
  await bench.discover();
  await bench.importRepository(REPOSITORY);
  bench.simulator.clock.advance(BETWEEN_MS);
}

const change = async (kind: string, more: Record<string, unknown> = {}) =>
  (await bench.mutate(kind, { repository: REPOSITORY, ...more })) as Record<string, number>;

/** Makes a change, some time after the one before; the events that tell of it. */
async function toldOf(make: () => Promise<unknown>): Promise<Event[]> {
  bench.simulator.clock.advance(BETWEEN_MS);
  const place = bench.mark();
  await make();
  return bench.since(place);
}

let topics = 0;
const push = (branch: string) =>
  change('git', {
    change: {
      kind: 'push',
      branch,
      commits: [{ message: `On ${branch}\n`, author: { name: 'Mia', email: 'mia@example.com' } }],
    },
  });

/** The life of a pull request: each step is told by one event. */
function newPullRequest(): (() => Promise<unknown>)[] {
  topics += 1;
  const source = `topic/${topics}`;
  let number = 0;
  return [
    () => push(source),
    async () => {
      ({ number = 0 } = await change('pull_request.create', { title: 'New', source, user: 'member' }));
    },
    () => change('comment.add', { number, raw: 'Said' }),
    () => change('pull_request.edit', { number, title: 'Named better' }),
    () => change('pull_request.approve', { number, user: 'repositoryAdmin' }),
    () => change('pull_request.decline', { number, reason: 'Not now' }),
  ];
}

function* ordersOf<T>(items: readonly T[]): Iterable<T[]> {
  if (items.length === 0) yield [];
  for (const [index, first] of items.entries())
    for (const rest of ordersOf(items.toSpliced(index, 1))) yield [first, ...rest];
}
const ORDERS = [...ordersOf([0, 1, 2, 3, 4, 5])];
/** No divisor of their number: so many seeds in a row are all orders, and a few of them lie all over. */
const STRIDE = 307;

describe('F41: deliveries in another order', () => {
  test(`six events in every order, with a sync behind each: ${String(ORDERS.length)} orders, a sample of them unless asked for so many seeds`, async () => {
    expect(ORDERS).toHaveLength(720);
    for (const seed of seeds(3)) {
      if (seed % 50 === 0) await beginAnew();
      const order = ORDERS[(seed * STRIDE) % ORDERS.length]!;
      const told = `seed ${String(seed)}: ${order.join(' ')}`;
      const steps = newPullRequest();
      const events: Event[] = [];
      for (const wanted of order) {
        // What an event tells of has happened when it comes, and nothing that comes later in the order need have.
        for (const step of steps.slice(events.length, wanted + 1)) events.push(...(await toldOf(step)));
        await bench.deliver(events[wanted]!);
        await bench.relay();
      }
      expect(events, told).toHaveLength(6);
      expect(await bench.differences(), told).toBe('');
    }
  });

  test('random events (200 in soak), delivered in a random order, some twice, while syncs come at any time', async () => {
    const BURSTS = 4;
    const CHANGES = isSoak() ? 200 : 40;
    for (const seed of seeds(1)) {
      await beginAnew();
      const random = seededRandom(seed);
      const first = bench.mark();
      const waiting: Event[] = [];
      const deliverSome = async (share: number) => {
        for (let left = Math.ceil(waiting.length * share); left > 0; left -= 1) {
          const at = below(random, waiting.length);
          const event = waiting[at]!;
          if (random() < 0.9) waiting.splice(at, 1);
          await bench.deliver(event);
          if (random() < 0.05) await bench.relay();
        }
      };
      for (let burst = 1; burst <= BURSTS; burst += 1) {
        const place = bench.mark();
        await churn({ seed: seed * BURSTS + burst, changes: CHANGES / BURSTS });
        waiting.push(...bench.since(place));
        await deliverSome(0.6);
      }
      while (waiting.length > 0) await deliverSome(1);
      await bench.relay();
      expect(bench.since(first).length, `seed ${String(seed)}`).toBeGreaterThanOrEqual(CHANGES);
      expect(await bench.differences(), `seed ${String(seed)}`).toBe('');
    }
  });
});

async function churn({ seed, changes }: { seed: number; changes: number }): Promise<void> {
  bench.simulator.clock.advance(BETWEEN_MS);
  const plan = { seed, changes, kinds: FINDABLE_CHANGES, repositories: [REPOSITORY] };
  await churnToItsEnd(bench.simulator, plan, 60_000);
}

/** A change of every kind that is told, in an order in which each can be made. */
function everyChange(): (() => Promise<unknown>)[] {
  const [one, other] = [newPullRequest(), newPullRequest()];
  let number = 0;
  let comment = 0;
  topics += 1;
  const source = `topic/${topics}`;
  const author = { name: 'Mia', email: 'mia@example.com' };
  const git = (of: Record<string, unknown>) => change('git', { change: of });
  return [
    ...one,
    // All but its end.
    ...other.slice(0, -1),
    () => push(source),
    async () => {
      ({ number = 0 } = await change('pull_request.create', { title: 'To be merged', source }));
    },
    () => push(source),
    () => change('pull_request.reviewers', { number, reviewers: ['member'] }),
    () => change('pull_request.request_changes', { number, user: 'member' }),
    () => change('pull_request.withdraw_changes', { number, user: 'member' }),
    () => change('pull_request.approve', { number, user: 'member' }),
    () => change('pull_request.unapprove', { number, user: 'member' }),
    async () => {
      ({ id: comment = 0 } = await change('comment.add', { number, raw: 'Said' }));
    },
    () => change('comment.edit', { number, comment, raw: 'Said better' }),
    () => change('comment.resolve', { number, comment }),
    () => change('comment.reopen', { number, comment }),
    () => change('comment.delete', { number, comment }),
    () => change('pull_request.merge', { number }),
    () => git({ kind: 'createTag', name: `tag-${topics}`, target: 'main' }),
    () => git({ kind: 'deleteTag', name: `tag-${topics}` }),
    () => git({ kind: 'deleteBranch', name: source }),
    () => git({ kind: 'push', branch: source, onto: 'main', commits: [{ message: 'Once more\n', author }] }),
    () => change('repository.edit', { description: `Described in ${topics}` }),
  ];
}

describe('F40: each event ten times', () => {
  test('the first brings what the source has, the second to tenth write no row version', async () => {
    const seen = new Set<string>();
    for (const make of everyChange()) {
      const events = await toldOf(make);
      for (const event of events) {
        seen.add(event.delivery.event);
        await bench.deliver(event);
      }
      await bench.relay();
      const told = events.map(({ delivery }) => delivery.event).join(', ');
      expect(await bench.differencesOfState(), told).toBe('');
      const versions = await bench.versions();
      expect(versions.length).toBeGreaterThan(100);
      for (let time = 2; time <= 10; time += 1) {
        for (const event of events) await bench.deliver(event);
        // Many of them wake once; in soak each wakes.
        if (!isSoak() && time < 10) continue;
        await bench.relay();
        expect(await bench.versions(), told).toEqual(versions);
      }
    }
    expect([...seen].toSorted()).toEqual(TOLD);
  });
});

/** What a repository's changes are told by. */
const TOLD = [
  'pullrequest:approved',
  'pullrequest:changes_request_created',
  'pullrequest:changes_request_removed',
  'pullrequest:comment_created',
  'pullrequest:comment_deleted',
  'pullrequest:comment_reopened',
  'pullrequest:comment_resolved',
  'pullrequest:comment_updated',
  'pullrequest:created',
  'pullrequest:fulfilled',
  'pullrequest:push',
  'pullrequest:rejected',
  'pullrequest:unapproved',
  'pullrequest:updated',
  'repo:push',
  'repo:updated',
];

describe('F43: an event that comes a day late', () => {
  test('behind polls that brought newer states: nothing goes back, and nothing is written', async () => {
    const late: Event[] = [];
    for (const make of everyChange()) late.push(...(await toldOf(make)));
    // A round looks at one repository's votes, so the first finds all; the next finds nothing.
    await bench.poll();
    await bench.poll();
    const newer = await bench.differences();
    const versions = await bench.versions();
    bench.simulator.clock.advance(A_DAY_MS);
    for (const event of late) {
      await bench.deliver(event);
      await bench.relay();
      expect(await bench.versions(), event.delivery.event).toEqual(versions);
    }
    expect(late.length).toBeGreaterThan(30);
    // A vote that was taken back before anybody looked was never seen, so all is equal.
    expect([newer, await bench.differences()]).toEqual(['', '']);
  });
});
