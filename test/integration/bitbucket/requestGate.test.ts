import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'drizzle-orm';
import { describe, expect, it } from 'vitest';
import { BACKGROUND, LIVE, walker } from '../../../activities/bitbucket/asker.ts';
import { NotWanted } from '../../../activities/bitbucket/errors.ts';
import { createRequestGate } from '../../../activities/bitbucket/requestGate.ts';
import { createDatabase } from '../../../db/client.ts';
import { readAllowance } from '../../../db/queries/allowance.ts';
import { answerRequest, takeRequest } from '../../../db/queries/requestBudget.ts';
import { inMs, ok, refusal, useGateBench } from '../../support/gateBench.ts';
import { seededRandom } from '../../support/seededRandom.ts';

const bench = useGateBench();
const { gateOf, take, spend, exhaust, allowance, pass } = bench;

describe('a window', () => {
  it('holds so many requests and no more, and they leave it an hour after their answers', async () => {
    const gate = gateOf(100);
    expect(await exhaust(gate)).toBe(97);
    const error = await refusal(take(gate));
    expect(error.why).toBe('Bitbucket allowance');
    expect(inMs(error.until)).toBeGreaterThan(3_590_000);
    expect(inMs(error.until)).toBeLessThanOrEqual(3_610_000);
    await pass(3_585);
    await refusal(take(gate));
    await pass(30);
    expect(await exhaust(gate)).toBe(97);
  });

  it('is shared by two pools of many takers, and never holds more than the limit: random schedules', async () => {
    const windowMs = 1_200;
    const limit = 40;
    for (const seed of [1, 2]) {
      const arrivals: number[] = [];
      const random = seededRandom(seed);
      const gates = bench.databases.map((database) => gateOf(limit, { windowMs, database }));
      const taker = async (number: number): Promise<void> => {
        const asker = number % 5 === 0 ? LIVE : walker(`import ${number % 3}`, `workflow ${number}`);
        while (arrivals.length < 3 * limit) {
          const gate = gates[number % 2];
          if (gate === undefined) throw new Error('no gate');
          const permit = await take(gate, {
            accountKey: `random-${seed}`,
            asker,
            deadlineMs: 1_000,
            maxWaitMs: 60_000,
          });
          const [before, behind, fate] = [random() * 30, random() * 30, random()];
          if (fate < 0.05) {
            await permit.unsent();
            continue;
          }
          await sleep(before);
          // As the client does: behind the deadline nothing is sent any more.
          if (permit.leftMs() <= 0) continue;
          arrivals.push(performance.now());
          // One in ten is never answered: its sender died.
          if (fate < 0.15) continue;
          await sleep(behind);
          await permit.answered(ok);
        }
      };
      await Promise.all(Array.from({ length: 24 }, (_, number) => taker(number)));
      arrivals.sort((one, other) => one - other);
      const most = Math.max(
        ...arrivals.map((at, index) => index + 1 - arrivals.findIndex((other) => other > at - windowMs)),
      );
      expect(most).toBeLessThanOrEqual(limit);
    }
  });

  it('gives back what never left, and keeps what was never answered until its deadline', async () => {
    const gate = gateOf(10);
    const permit = await take(gate, { deadlineMs: 60_000 });
    expect((await allowance()).used).toBe(1);
    await permit.unsent();
    expect((await allowance()).used).toBe(0);
    await take(gate, { deadlineMs: 60_000 });
    await pass(3_605);
    expect((await allowance()).used).toBe(1);
    await pass(70);
    expect((await allowance()).used).toBe(0);
  });

  it('counts several HTTP requests at once, and each group apart', async () => {
    const gate = createRequestGate({ database: bench.databases[0], limits: { git_operations: 10 } });
    const permit = await take(gate, { group: 'git_operations', requests: 4 });
    await permit.answered(ok);
    await take(gate, { group: 'git_operations', requests: 4 });
    await refusal(take(gate, { group: 'git_operations', requests: 4 }));
    expect((await take(gate, { group: 'other' })).leftMs()).toBeGreaterThan(0);
  });

  it('is not waited for by what nobody wants any more: nothing is taken then', async () => {
    const gate = gateOf(10, { windowMs: 6_000 });
    await exhaust(gate);
    const { used } = await allowance();
    let asked = 0;
    const stillWanted = () => Promise.resolve((asked += 1) < 2);
    await expect(take(gate, { maxWaitMs: 60_000, stillWanted })).rejects.toBeInstanceOf(NotWanted);
    expect(asked).toBe(2);
    expect((await allowance()).used).toBeLessThanOrEqual(used);
    // Whoever is wanted on has its turn.
    await expect(
      take(gate, { maxWaitMs: 60_000, stillWanted: () => Promise.resolve(true) }),
    ).resolves.toBeDefined();
  });

  it.each([
    ['answered', 'off'],
    ['failed', 'on'],
    ['refused', 'on'],
  ] as const)('commits what is reported as %s with synchronous_commit %s', async (outcome, how) => {
    const { accountKey } = bench;
    const one = { accountKey, group: 'repository_data', consumer: 'import', waiter: null, requests: 1 };
    const stated = { limit: null, remaining: null, nearLimit: null };
    const row = await bench.databases[0].withoutTenant(async (tx) => {
      const taking = { goesFirst: false, defaultLimit: 100, windowMs: 3_600_000, deadlineMs: 60_000 };
      const taken = await takeRequest(tx, { ...one, ...taking });
      const { observed_at: observedAt, due_at: dueAt, probing } = taken;
      const report = { ...one, observedAt, dueAt: dueAt!, probing, outcome, waitSeconds: null, stated };
      await answerRequest(tx, report);
      return (await tx.execute(sql`select current_setting('synchronous_commit') as how`))[0];
    });
    expect(row).toEqual({ how });
  });

  it('without a limit gives every request, and still counts', async () => {
    const gate = createRequestGate({ database: bench.databases[0] });
    for (let taken = 0; taken < 50; taken += 1) await spend(gate, BACKGROUND);
    expect(await allowance()).toMatchObject({ limit: null, remaining: null, reserve: 0, used: 50 });
  });
});

describe('what can be read of it', () => {
  it('is limit, reserve, use and when how many come free', async () => {
    const gate = gateOf(1_000);
    for (let taken = 0; taken < 5; taken += 1) await spend(gate, BACKGROUND);
    const read = await allowance();
    expect(read).toMatchObject({
      limit: 1_000,
      reserve: 30,
      used: 5,
      remaining: 965,
      windowMs: 3_600_000,
      blockedUntil: null,
    });
    expect(read.frees.reduce((sum, { requests }) => sum + requests, 0)).toBe(5);
    for (const { at } of read.frees) {
      expect(inMs(at)).toBeGreaterThan(3_590_000);
      expect(inMs(at)).toBeLessThanOrEqual(3_610_000);
    }
  });

  it('is nothing for an account that nobody asked for', async () => {
    const read = bench.databases[0].statement((tx) =>
      readAllowance(tx, { accountKey: 'nobody', group: 'repository_data' }),
    );
    expect(await read).toBeUndefined();
  });

  it('is open to the api, which may not take', async () => {
    await spend(gateOf(10), BACKGROUND);
    const api = createDatabase({
      url: bench.testDatabase.apiUrl,
      maxConnections: 1,
      applicationName: 'gate test',
    });
    try {
      const read = await api.statement((tx) =>
        readAllowance(tx, { accountKey: bench.accountKey, group: 'repository_data' }),
      );
      expect(read).toMatchObject({ used: 1 });
      await expect(take(gateOf(10, { database: api }))).rejects.toMatchObject({ code: '42501' });
    } finally {
      await api.end();
    }
  });
});
