import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { BitbucketClient } from '../../../activities/bitbucket/client.ts';
import { acmeWorld } from '../../support/acmeWorld.ts';
import { below } from '../../support/badAnswers.ts';
import {
  type BitbucketEngine,
  createBitbucketEngine,
  createCredentialRows,
  createTestKeys,
  type CredentialRows,
} from '../../support/bitbucketEngine.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';
import { oauthTokens } from '../../support/oauthBrowser.ts';
import { startRefresher } from '../../support/refreshers.ts';
import { seededRandom } from '../../support/seededRandom.ts';
import { seeds, seedsTimeoutMs } from '../../support/seeds.ts';
import { createSimulator, type Simulator } from '../../support/simulator.ts';
import { waitFor } from '../../support/waitFor.ts';
import { createOauthEngine, type OauthEngine } from '../streams/oauthEngine.ts';
import { createSituation, type Situation } from '../streams/situation.ts';
import { createVirtualTime, type VirtualTime } from '../streams/virtualTime.ts';

/**
 * Refresh tokens that rotate (reliability.md, F29, F30, S07), at a host that takes a used one for ten minutes more, and at
 * one that ends the whole grant when a used one comes again.
 */
const TOKENS = '/site/oauth2/access_token';
const HOSTS = { lenient: {}, strict: { refreshLeewayMs: null } } as const;
type Kind = keyof typeof HOSTS;
const KINDS = Object.keys(HOSTS) as Kind[];

vi.setConfig({ testTimeout: seedsTimeoutMs() });

const tokenCalls = (host: Simulator): number =>
  host.journal.since(0).filter(({ path }) => path === TOKENS).length;

describe('refreshers', () => {
  const keys = createTestKeys();
  const hosts = {} as Record<Kind, Simulator>;
  const engines: BitbucketEngine[] = [];
  let testDatabase: TestDatabase;
  let rows: CredentialRows;
  beforeAll(async () => {
    testDatabase = await createTestDatabase();
    rows = createCredentialRows(testDatabase, keys);
    for (const kind of KINDS) hosts[kind] = await createSimulator({ limit: 0, oauth: HOSTS[kind] });
  });
  afterAll(async () => {
    await Promise.all(engines.map((engine) => engine.end()));
    await rows.end();
    await testDatabase.drop();
    await Promise.all(Object.values(hosts).map((host) => host.close()));
  });

  const optionsFor = (host: Simulator) => ({
    databaseUrl: testDatabase.workerUrl,
    keys,
    apiUrl: host.apiUrl,
    webUrl: host.url,
    consumer: host.consumer,
  });
  const PAST = { accessExpiresAt: '2026-01-01T00:00:00Z' };
  const connected = async (host: Simulator) =>
    rows.integration('oauth', await oauthTokens(host, 'service'), PAST);

  describe('F29: 50 in two processes', () => {
    test.each(KINDS)(
      'make one call for each rotation, none hangs, and the grant lives on (%s host)',
      async (kind) => {
        const host = hosts[kind];
        const credential = await connected(host);
        const order = { engine: optionsFor(host), credential, requests: 25 };
        const processes = await Promise.all([startRefresher(), startRefresher()]);
        let version = 1;
        for (const seed of seeds(6)) {
          host.journal.clear();
          await rows.sql`update credentials set access_expires_at = ${PAST.accessExpiresAt}
            where id = ${credential.credentialId}`;
          const answers = await Promise.all(processes.map((one) => one.order(order)));
          const outcomes = answers.flatMap((answer) => answer.outcomes);
          expect(outcomes, `rotation ${String(seed)}`).toEqual(Array.from({ length: 50 }, () => 'ok'));
          expect(tokenCalls(host), `rotation ${String(seed)}`).toBe(1);
          version += 1;
        }
        expect(await rows.credential(credential.credentialId)).toMatchObject({ version, refreshing: false });
        await Promise.all(processes.map((one) => one.end()));
      },
    );
  });

  /** The worker dies surely before the answer is there, anywhere around it, or surely behind the commit. */
  const MOMENTS = ['before', 'around', 'behind'] as const;

  describe('F30: a worker that dies between the rotation and its commit', () => {
    test.each(KINDS)('loses nothing but what the %s host takes', async (kind) => {
      const host = hosts[kind];
      let spare = startRefresher();
      for (const [seed, moment] of seeds(2).flatMap((one) => MOMENTS.map((when) => [one, when] as const))) {
        const random = seededRandom(seed);
        const answerMs = { before: 4_000, around: 1 + below(random, 60), behind: 1 }[moment];
        const killMs = moment === 'around' ? below(random, 120) : 0;
        const told = `seed ${String(seed)}, ${moment}: answer in ${answerMs} ms, killed after ${killMs} ms`;
        const credential = await connected(host);
        const worker = await spare;
        spare = startRefresher();
        host.journal.clear();
        host.faults.set({
          rules: [{ match: { path: TOKENS }, nth: 1, fault: { kind: 'slow_body', ms: answerMs } }],
        });
        worker.order({ engine: optionsFor(host), credential, requests: 1 }).catch(() => {});
        await waitFor({
          what: 'the host has rotated the token',
          read: () => tokenCalls(host),
          until: (count) => count === 1,
          intervalMs: 1,
        });
        if (moment === 'behind') {
          await waitFor({
            what: 'the new pair is stored',
            read: () => rows.credential(credential.credentialId),
            until: (row) => row?.['version'] === 2,
            intervalMs: 1,
          });
        }
        // Waits for nothing: it is the moment of the kill, drawn from the seed, on either side of the answer and its commit.
        await sleep(killMs);
        await worker.kill();
        host.faults.clear();
        const left = await rows.credential(credential.credentialId);
        const isStored = left?.['version'] === 2;
        if (moment !== 'around') expect(isStored, told).toBe(moment === 'behind');
        // Either the new pair is there, or the trace of the refresh; and the row is free again.
        expect(left, told).toMatchObject({ refreshing: !isStored });
        host.journal.clear();
        const engine = createBitbucketEngine(optionsFor(host));
        engines.push(engine);
        const ask = () =>
          engine.client.get({ credential, path: '/user', signal: new AbortController().signal }).then(
            () => 'ok',
            (error: { type: string }) => error.type,
          );
        const isOver = !isStored && kind === 'strict';
        expect(await ask(), told).toBe(isOver ? 'CredentialUnusable' : 'ok');
        const calls = tokenCalls(host);
        expect(calls, told).toBe(isOver ? 2 : isStored ? 0 : 1);
        // Nothing is sent for a grant that is known to be over.
        expect(await ask(), told).toBe(isOver ? 'CredentialUnusable' : 'ok');
        expect(tokenCalls(host), told).toBe(calls);
        expect(await rows.credential(credential.credentialId), told).toMatchObject({
          version: isOver ? 1 : 2,
          refreshing: false,
        });
        await engines.pop()?.end();
      }
      await (await spare).end();
    });
  });
});

describe('F30: an import whose rotation was lost', () => {
  const REPOSITORY = 'acme/subject';
  const PAGE = 10;
  const WORLD = acmeWorld([{ slug: 'subject', pullRequests: 30, commits: 10, tickets: 8 }]);
  const open: (() => Promise<void>)[] = [];
  afterAll(() => Promise.all(open.map((close) => close())));

  async function subject(kind: Kind) {
    const situation = await createSituation({ world: WORLD, oauth: HOSTS[kind] });
    open.push(() => situation.close());
    const engine = createOauthEngine(situation);
    open.unshift(() => engine.end());
    return { situation, engine, time: createVirtualTime(situation) };
  }

  const smallPages = (engine: OauthEngine): BitbucketClient => ({
    get: ({ path, ...request }) =>
      engine.client.get({
        ...request,
        // Every wait is one of virtual time.
        maxWaitMs: 0,
        ...(path === undefined ? {} : { path: path.replace(/pagelen=(50|100)/, `pagelen=${String(PAGE)}`) }),
      }),
  });

  /** Nothing is imported, and the account has just been connected. */
  async function begin(situation: Situation, engine: OauthEngine) {
    situation.simulator.faults.clear();
    await situation.rows(sql`delete from repositories`);
    await engine.connect();
    situation.simulator.journal.clear();
    return situation.startImport(await situation.repository(REPOSITORY));
  }

  const answered = ({ simulator }: Situation) =>
    simulator.journal.since(0).filter(({ path, status }) => path.startsWith('/2.0/') && status === 200);

  async function expectExact(situation: Situation, told: string): Promise<void> {
    situation.simulator.faults.clear();
    expect(await situation.differences(), told).toBe('');
  }

  /** The token expires at a request of the import, and the answer to its refresh never comes. */
  function loseRotation({ simulator }: Situation, at: number): void {
    simulator.faults.set({
      rules: [
        { match: { path: '/repositories/' }, nth: at, fault: { kind: 'expire_credential' } },
        { match: { path: TOKENS }, nth: 1, fault: { kind: 'lost_answer', how: 'reset' } },
      ],
    });
  }

  async function undisturbed(situation: Situation, engine: OauthEngine, time: VirtualTime) {
    const input = await begin(situation, engine);
    await time.drive([input], { activities: { bitbucket: smallPages(engine) } });
    return answered(situation).length;
  }

  test('goes on by itself where the old token still works', async () => {
    const { situation, engine, time } = await subject('lenient');
    const all = await undisturbed(situation, engine, time);
    for (const seed of seeds(1)) {
      const at = 1 + ((seed * 7) % all);
      const told = `seed ${String(seed)}: request ${String(at)}`;
      const input = await begin(situation, engine);
      loseRotation(situation, at);
      const driven = await time.drive([input], { activities: { bitbucket: smallPages(engine) } });
      expect([...driven.failed], told).toEqual([]);
      expect(tokenCalls(situation.simulator), told).toBe(2);
      expect(answered(situation), told).toHaveLength(all);
      await expectExact(situation, told);
    }
  });

  test('waits for a new consent where it does not, and then goes on from its checkpoint', async () => {
    const { situation, engine, time } = await subject('strict');
    const all = await undisturbed(situation, engine, time);
    for (const seed of seeds(1)) {
      const at = 1 + ((seed * 7) % all);
      const told = `seed ${String(seed)}: request ${String(at)}`;
      const input = await begin(situation, engine);
      loseRotation(situation, at);
      const activities = { bitbucket: smallPages(engine) };
      // One lost, then refused twice.
      const isOver = () => tokenCalls(situation.simulator) === 3;
      const driven = await time.drive([input], { activities, until: isOver });
      expect([...driven.failed], told).toEqual([]);
      expect(isOver(), told).toBe(true);
      const before = answered(situation).length;
      expect(before, told).toBe(at - 1);
      const ended = await situation.rows(sql`select c.expires_on <= now() as ended from credentials c
        join integrations i on i.organization_id = c.organization_id and i.credential_id = c.id
        where i.id = ${input.integrationId}`);
      expect(ended, told).toEqual([{ ended: true }]);
      await engine.connect();
      const rest = await time.drive([input], { activities });
      expect(rest, told).toEqual({ retried: 0, limited: 0, failed: new Map() });
      expect(answered(situation), told).toHaveLength(all);
      await expectExact(situation, told);
    }
  });
});
