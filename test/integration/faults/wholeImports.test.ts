import { sql } from 'drizzle-orm';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import type { BitbucketClient } from '../../../activities/bitbucket/client.ts';
import { acmeWorld } from '../../support/acmeWorld.ts';
import { createHostileProxy, type HostileProxy } from '../../support/hostileProxy.ts';
import { below, mishapOf } from '../../support/badAnswers.ts';
import { faultPlan } from '../../support/faultPlans.ts';
import { seededRandom } from '../../support/seededRandom.ts';
import { overSeeds, seeds, seedsTimeoutMs } from '../../support/seeds.ts';
import { createOauthEngine, type OauthEngine } from '../streams/oauthEngine.ts';
import { createSituation, type ImportInput, type Situation } from '../streams/situation.ts';
import { createVirtualTime, type VirtualTime } from '../streams/virtualTime.ts';

/**
 * Whole imports of two repositories while host and wire do what they like (reliability.md, F20 to F28): with the engine's
 * own client, gate and OAuth store, chunk after chunk as the workflows run them, until all is read. Then the oracle looks.
 */
const CI_SEEDS = 100;
/**
 * Lost what a ticket's list or a pull request's own activity had, since an empty one was believed at once (70002, 70082;
 * 70030), or all tickets or pull requests, since two empty answers in a row were (71125, 71215); called gone what a page
 * left out twice (71269), or what an empty list left out against the feed (71656); counted what a `next` to the start of a
 * ticket's own list showed once more (70028), or two records too few, which a page had left out that was asked for again
 * over an empty one (73267); or all pull requests, since three empty answers were (73289).
 */
const FAILED_ONCE = [70_002, 70_028, 70_030, 70_082, 71_125, 71_215, 71_269, 71_656, 73_267, 73_289];
const repository = (slug: string, pullRequests: number, tickets: number) => ({
  slug,
  pullRequests,
  commits: 10,
  tickets,
});
const WORLD = acmeWorld([repository('first', 24, 8), repository('second', 10, 3)]);
const NAMES = ['acme/first', 'acme/second'];
const TOKENS = '/site/oauth2/access_token';
/** A small page, so that a small world has many. */
const PAGE = 10;

vi.setConfig({ testTimeout: seedsTimeoutMs() });

let proxy: HostileProxy;
let situation: Situation;
let engine: OauthEngine;
let time: VirtualTime;
beforeAll(async () => {
  proxy = await createHostileProxy();
  situation = await createSituation({ world: WORLD, publicUrl: proxy.url });
  proxy.target = situation.simulator.port;
  engine = createOauthEngine(situation, { deadlineMs: 1_000, maxBytes: 1_048_576 });
  time = createVirtualTime(situation);
});
afterAll(async () => {
  await engine?.end();
  await situation?.close();
  await proxy?.close();
});

/** Nothing imported, nobody refused, and an account that has just been connected. */
async function beginAnew(): Promise<void> {
  calm();
  await situation.rows(sql`delete from repositories`);
  await engine.connect();
  situation.simulator.journal.clear();
}
beforeEach(beginAnew);
afterEach(calm);

function calm(): void {
  proxy.next = () => ({ kind: 'none' });
  situation.simulator.faults.clear();
}

const smallPages: BitbucketClient = {
  get: ({ path, ...request }) =>
    engine.client.get({
      ...request,
      // Every wait is one of virtual time.
      maxWaitMs: 0,
      ...(path === undefined ? {} : { path: path.replace(/pagelen=(50|100)/, `pagelen=${String(PAGE)}`) }),
    }),
};
const activities = { bitbucket: smallPages };

async function begin(): Promise<ImportInput[]> {
  const inputs: ImportInput[] = [];
  for (const name of NAMES) inputs.push(await situation.startImport(await situation.repository(name)));
  return inputs;
}

const requests = () => situation.simulator.journal.since(0).filter(({ path }) => path.startsWith('/2.0/'));
const refreshes = () => situation.simulator.journal.since(0).filter(({ path }) => path === TOKENS).length;
const played = () => situation.simulator.faults.report().rules.reduce((sum, rule) => sum + rule.played, 0);

/** How many requests it takes when nothing goes wrong. */
let undisturbed: number;

async function expectExact(inputs: readonly ImportInput[], told = ''): Promise<void> {
  calm();
  expect(await situation.differences(), told).toBe('');
  for (const input of inputs) {
    for (const state of await situation.streamStates(input)) {
      expect(state, `${told} ${String(state['stream'])}`).toMatchObject({
        state: 'healthy',
        quarantined: 0,
        stored: state['expected'],
      });
    }
  }
}

test('undisturbed, nothing is tried again', async () => {
  const inputs = await begin();
  expect(await time.drive(inputs, { activities })).toEqual({ retried: 0, limited: 0, failed: new Map() });
  undisturbed = requests().length;
  expect(refreshes()).toBe(0);
  await expectExact(inputs);
});

test('F20 to F28 at random: what is tried again ends equal to its source', async () => {
  await overSeeds([...FAILED_ONCE, ...seeds(CI_SEEDS)], async (seed) => {
    await beginAnew();
    const random = seededRandom(seed);
    const { names, rules } = faultPlan(seed, random);
    const told = `seed ${String(seed)}: ${names.join(', ')}`;
    const inputs = await begin();
    situation.simulator.faults.set({ seed, rules });
    let mishaps = below(random, 12);
    proxy.next = () => {
      if (mishaps === 0 || random() < 0.5) return { kind: 'none' };
      mishaps -= 1;
      return mishapOf(random);
    };
    let left: readonly ImportInput[] = inputs;
    // A person tries what failed again; each fault of the plan ends.
    for (let tries = 0; left.length > 0 && tries < 20; tries += 1) {
      const { failed } = await time.drive(left, { activities });
      left = left.filter(({ repositoryId }) => failed.has(repositoryId));
    }
    expect(left, told).toEqual([]);
    await expectExact(inputs, told);
  });
});

/** Milliseconds by the host's clock between each refusal and the request behind it. */
function pauses(): number[] {
  const all = requests();
  return all.flatMap(({ status, time_ms: at }, index) =>
    status === 429 ? Math.round((all[index + 1]?.time_ms ?? Number.POSITIVE_INFINITY) - at) : [],
  );
}

describe('F20: limits', () => {
  test.each([
    // A date has no parts of a second.
    ['seconds', [90_000, 90_000, 90_000], 0],
    ['date', [90_000, 90_000, 90_000], 1_000],
    ['none', [60_000, 120_000, 240_000], 0],
  ] as const)('Retry-After %s: no request comes early, and the next one soon', async (form, waits, less) => {
    const inputs = await begin();
    const fault = { kind: 'rate_limit', retry_after: form, seconds: 90 };
    situation.simulator.faults.set({
      rules: [{ match: { path: '/repositories/' }, nth: [9, 10, 11], fault }],
    });
    const { failed, limited } = await time.drive(inputs, { activities });
    expect(failed.size).toBe(0);
    expect(limited).toBeGreaterThanOrEqual(waits.length);
    const found = pauses();
    expect(found).toHaveLength(waits.length);
    for (const [index, wait] of waits.entries()) {
      expect(found[index]).toBeGreaterThanOrEqual(wait - less);
      expect(found[index]).toBeLessThan(wait + 20_000);
    }
    await expectExact(inputs);
  });

  test('a wrong limit over everything for 2 h 38 min: one probe at a time, at longer and longer intervals', async () => {
    const inputs = await begin();
    const { before } = await driveThrough(inputs, { kind: 'rate_limit' }, 158);
    const found = pauses();
    const minutes = found.map((pause) => Math.round(pause / 60_000));
    expect(minutes).toEqual([1, 2, 4, 8, 16, 32, 60, 60]);
    expect(requests()[before]).toMatchObject({ status: 429 });
    await expectExact(inputs);
  });
});

/** Pages of pull requests behind which there is none. */
const LAST_PAGES = 'pullrequests\\?.*id%3E(20|1\\d)&';

/** Ends a drive behind so many chunks. */
function begun(chunks: number): () => boolean {
  let asked = 0;
  return () => {
    asked += 1;
    return asked > chunks;
  };
}

/**
 * Drives imports to their end, while every request behind their first chunks meets a fault for so many minutes: how many
 * requests were made before, and when the fault is over.
 */
async function driveThrough(
  inputs: ImportInput[],
  fault: object,
  minutes: number,
): Promise<{ before: number; endsMs: number }> {
  await time.drive(inputs, { activities: { ...activities, limits: { requests: 4 } }, until: begun(2) });
  const before = requests().length;
  situation.simulator.faults.set({ rules: [{ fault }] });
  const endsMs = time.nowMs() + minutes * 60_000;
  const { failed } = await time.drive(inputs, {
    activities,
    until: () => {
      if (time.nowMs() > endsMs) situation.simulator.faults.clear();
      return false;
    },
  });
  expect(failed.size).toBe(0);
  return { before, endsMs };
}

describe('F21: errors of the host', () => {
  test('one request in ten all the time costs no more than itself and a fifth', async () => {
    for (const seed of seeds(1)) {
      await beginAnew();
      const inputs = await begin();
      const fault = { kind: 'status', status: 503 };
      situation.simulator.faults.set({
        seed,
        rules: [{ match: { path: '/repositories/' }, probability: 0.1, fault }],
      });
      const { failed } = await time.drive(inputs, { activities });
      const told = `seed ${String(seed)}`;
      expect(failed.size, told).toBe(0);
      const wasted = requests().length - undisturbed;
      expect(wasted, told).toBeLessThanOrEqual(1.2 * played());
      await expectExact(inputs, told);
    }
  });

  test('nothing else for 30 minutes: few probes, no failure, and it goes on within five minutes', async () => {
    const inputs = await begin();
    const { endsMs } = await driveThrough(inputs, { kind: 'status', status: 502 }, 30);
    const all = requests();
    // Of all repositories together: the account asks, not each of them.
    const probes = all.filter(({ status }) => status === 502);
    expect(probes.length).toBeGreaterThan(5);
    expect(probes.length).toBeLessThanOrEqual(20);
    for (const name of NAMES) {
      const own = all.filter(({ path }) => path.includes(`/repositories/${name}/`));
      const first = own.find(({ time_ms: at, status }) => at > endsMs && status === 200);
      expect((first?.time_ms ?? Number.POSITIVE_INFINITY) - endsMs, name).toBeLessThan(5 * 60_000 + 10_000);
    }
    await expectExact(inputs);
  });
});

describe('F27: links to a next page', () => {
  test.each(['self', 'turn', 'first', 'endless', 'beyond', 'none'])(
    'that lead to %s on any page of any list, the last too: few requests are spent on them, and nothing is lost',
    async (to) => {
      const inputs = await begin();
      const fault = { kind: 'next', to };
      situation.simulator.faults.set({
        rules: [LAST_PAGES, '/pullrequests/activity', '/issues\\?'].map((path) => ({
          match: { path },
          count: 3,
          fault,
        })),
      });
      let left: readonly ImportInput[] = inputs;
      // A person tries again what failed.
      for (let tries = 0; left.length > 0 && tries < 5; tries += 1) {
        const { failed } = await time.drive(left, { activities });
        for (const code of failed.values()) expect(['endless_list', 'unreadable_answer']).toContain(code);
        left = left.filter(({ repositoryId }) => failed.has(repositoryId));
      }
      expect(left).toEqual([]);
      // Where the feed seems to end, pull requests are asked one by one instead.
      if (to !== 'none') expect(requests().length - undisturbed).toBeLessThanOrEqual(2 * played());
      await expectExact(inputs);
    },
  );
});

describe('F28: the access token expires', () => {
  test('at any request: it is renewed once, the same page is asked for again, nothing else', async () => {
    for (const seed of seeds(3)) {
      await beginAnew();
      const at = 1 + ((seed * 17) % undisturbed);
      const inputs = await begin();
      situation.simulator.faults.set({
        rules: [{ match: { path: '/repositories/' }, nth: at, fault: { kind: 'expire_credential' } }],
      });
      const told = `seed ${String(seed)}: request ${String(at)}`;
      expect(await time.drive(inputs, { activities }), told).toMatchObject({ retried: 0, limited: 0 });
      const all = requests();
      expect(all.map(({ status }) => status).indexOf(401), told).toBe(at - 1);
      expect(all[at]?.page, told).toBe(all[at - 1]?.page);
      expect(all, told).toHaveLength(undisturbed + 1);
      expect(refreshes(), told).toBe(1);
      await expectExact(inputs, told);
    }
  });
});
