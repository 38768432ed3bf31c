import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { createBitbucketClient, type BitbucketClient } from '../../../activities/bitbucket/client.ts';
import { walker } from '../../../activities/bitbucket/asker.ts';
import { createRequestGate } from '../../../activities/bitbucket/requestGate.ts';
import { acmeWorld } from '../../support/acmeWorld.ts';
import { isSoak, seedsTimeoutMs } from '../../support/seeds.ts';
import { createOauthEngine, type OauthEngine } from '../streams/oauthEngine.ts';
import { createSituation, type Situation } from '../streams/situation.ts';
import { createVirtualTime, type VirtualTime } from '../streams/virtualTime.ts';

/**
 * An import of 30 days (reliability.md, F36; of 10 in the ordinary run) in virtual time: its allowance is so small that
 * it needs them, its tokens live for two hours, and people go on working nearly to its end.
 */
const HOUR_MS = 3_600_000;
const DAYS = isSoak() ? 30 : 10;
/** Then they rest: an import closes a few times only over those who never do, and leaves them to the next one. */
const LAST_DAY = DAYS - 3;
/** An hour; one of them is the reserve, so one is left for the import. */
const LIMIT = 2;
const PULL_REQUESTS = Math.round(5.5 * DAYS);
const REPOSITORY = 'acme/subject';
const WORLD = acmeWorld([
  { slug: 'subject', pullRequests: PULL_REQUESTS, commits: 10, tickets: Math.round(1.4 * DAYS) },
]);
const TOKENS = '/site/oauth2/access_token';

vi.setConfig({ testTimeout: seedsTimeoutMs() });

let situation: Situation;
let engine: OauthEngine;
let time: VirtualTime;
let bitbucket: BitbucketClient;
beforeAll(async () => {
  situation = await createSituation({ world: WORLD, limit: LIMIT });
  engine = createOauthEngine(situation);
  time = createVirtualTime(situation);
  await engine.connect();
  const client = createBitbucketClient({
    apiUrl: situation.simulator.apiUrl,
    signer: engine.credentials,
    gate: createRequestGate({ database: situation.database, limits: { repository_data: LIMIT } }),
  });
  // Pages so small that there are enough of them.
  bitbucket = {
    get: ({ path, ...request }) =>
      client.get({
        ...request,
        maxWaitMs: 0,
        ...(path === undefined ? {} : { path: path.replace(/pagelen=(50|100)/, 'pagelen=2') }),
      }),
  };
});
afterAll(async () => {
  await engine?.end();
  await situation?.close();
});

test(`takes ${String(DAYS)} days at one request an hour: nothing is refused, no hour is wasted, and all is there`, async () => {
  const { simulator } = situation;
  const input = await situation.startImport(await situation.repository(REPOSITORY));
  simulator.journal.clear();
  const beganMs = time.nowMs();
  const days = (): number => (time.nowMs() - beganMs) / (24 * HOUR_MS);
  let today = 0;
  const driven = await time.drive([input], {
    activities: { bitbucket },
    until: async () => {
      if (days() < today + 1 || today === LAST_DAY) return false;
      today += 1;
      const number = 1 + ((today * 37) % PULL_REQUESTS);
      await simulator.mutate({ kind: 'comment.add', repository: REPOSITORY, number, raw: `Day ${today}` });
      return false;
    },
  });
  const journal = simulator.journal.since(0);
  const requests = journal.filter(({ path }) => path.startsWith('/2.0/repositories/'));
  expect(driven.failed.size).toBe(0);
  expect(driven.retried).toBe(0);
  // That the first token ended was told by Bitbucket; the ends of the others are known.
  expect(requests.filter(({ status }) => status !== 200).map(({ status }) => status)).toEqual([401]);
  expect(days()).toBeGreaterThan(DAYS);
  // A request leaves the window an hour after its answer, at the end of a bucket of ten seconds.
  expect(requests.length).toBeGreaterThan(0.95 * days() * 24 * (LIMIT - 1));
  const refreshes = journal.filter(({ path }) => path === TOKENS).length;
  expect(refreshes).toBeGreaterThan((days() * 24) / 2 - 2);
  expect(refreshes).toBeLessThan((days() * 24) / 1.9 + 2);
  expect(await situation.differences()).toBe('');
  for (const state of await situation.streamStates(input))
    expect(state).toMatchObject({ state: 'healthy', stored: state['expected'] });
});

test('of 1,000 requests an hour 95 % and more are used, hour after hour', async () => {
  const gate = createRequestGate({ database: situation.database, limits: { repository_data: 1_000 } });
  const asker = walker('import', null);
  const signal = new AbortController().signal;
  const take = async (requests: number): Promise<string | null> => {
    const window = { accountKey: 'busy', group: 'repository_data' as const };
    const permit = await gate
      .take({ ...window, asker, requests, signal, maxWaitMs: 0, deadlineMs: 60_000 })
      .catch((error: unknown) => {
        if (error instanceof Error && 'until' in error) return String(error.until);
        throw error;
      });
    if (typeof permit === 'string') return permit;
    await permit.answered({ status: 200, headers: new Headers() });
    return null;
  };
  const beganMs = time.nowMs();
  let used = 0;
  while (time.nowMs() - beganMs < 24 * HOUR_MS) {
    const until = await take(10);
    if (until === null) used += 10;
    else await time.pass(Date.parse(until) - Date.now());
  }
  const hours = (time.nowMs() - beganMs) / HOUR_MS;
  expect(used / hours).toBeGreaterThan(950);
  await situation.database.withoutTenant((tx) =>
    tx.execute(sql`delete from request_uses where account_key = 'busy'`),
  );
});
