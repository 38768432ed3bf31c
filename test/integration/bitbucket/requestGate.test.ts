import { setTimeout as sleep } from 'node:timers/promises';
import postgres from 'postgres';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Asker, BACKGROUND, LIVE, walker } from '../../../activities/bitbucket/asker.ts';
import { RateLimited } from '../../../activities/bitbucket/errors.ts';
import {
  createRequestGate,
  type Permit,
  type RequestGate,
  type TakeRequest,
} from '../../../activities/bitbucket/requestGate.ts';
import { createDatabase, type Database } from '../../../db/client.ts';
import { readAllowance } from '../../../db/queries/allowance.ts';
import { releaseWaiting, stopWaiting, wakeWaiting } from '../../../db/queries/requestBudget.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';
import { seededRandom } from '../../support/seededRandom.ts';

let testDatabase: TestDatabase;
let superuser: postgres.Sql;
/** two pools, as two worker processes have */
let databases: [Database, Database];
let accounts = 0;
let accountKey: string;

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  superuser = postgres(testDatabase.superuserUrl, { max: 1 });
  const open = () =>
    createDatabase({ url: testDatabase.workerUrl, maxConnections: 8, applicationName: 'gate test' });
  databases = [open(), open()];
});

afterAll(async () => {
  await Promise.all([...databases.map((database) => database.end()), superuser.end()]);
  await testDatabase.drop();
});

beforeEach(async () => {
  accounts += 1;
  accountKey = `account-${accounts}`;
  await superuser`delete from request_waits`;
});

const never = new AbortController().signal;
const ok = { status: 200, headers: new Headers() };
const gateOf = (limit: number, options: { windowMs?: number; database?: Database } = {}): RequestGate => {
  const { database = databases[0], ...rest } = options;
  return createRequestGate({ database, limits: { repository_data: limit }, ...rest });
};
const take = (gate: RequestGate, more: Partial<TakeRequest> = {}): Promise<Permit> =>
  gate.take({
    accountKey,
    group: 'repository_data',
    signal: never,
    maxWaitMs: 0,
    deadlineMs: 60_000,
    ...more,
  });
const spend = async (gate: RequestGate, asker: Asker, headers = new Headers()): Promise<void> => {
  const permit = await take(gate, { asker });
  await permit.answered({ status: 200, headers });
};
/** Takes and answers until there is no more room, by tens and then one by one; how many went. */
async function exhaust(gate: RequestGate, asker: Asker = BACKGROUND, step = 10): Promise<number> {
  for (let taken = 0; ; taken += step) {
    try {
      const permit = await take(gate, { asker, requests: step });
      await permit.answered(ok);
    } catch (error) {
      if (!(error instanceof RateLimited)) throw error;
      return step === 1 ? taken : taken + (await exhaust(gate, asker, 1));
    }
  }
}
const refusal = async (work: Promise<unknown>): Promise<RateLimited> => {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof RateLimited) return error;
  throw new Error('it was not refused', { cause: error });
};
const allowance = async () => {
  const read = await databases[1].statement((tx) =>
    readAllowance(tx, { accountKey, group: 'repository_data' }),
  );
  if (read === undefined) throw new Error('nothing was taken yet');
  return read;
};
/** Lets time pass, as far as the window can tell. */
const pass = async (seconds: number): Promise<void> => {
  // By way of another century: unique keys are looked at row by row.
  await superuser`update request_uses set leaves_at = leaves_at - interval '36500 days'
    where account_key = ${accountKey}`;
  await superuser`update request_uses set leaves_at = leaves_at + interval '36500 days' - make_interval(secs => ${seconds})
    where account_key = ${accountKey}`;
  await superuser`update request_waits set since = since - make_interval(secs => ${seconds}),
    until = until - make_interval(secs => ${seconds}), woken_at = woken_at - make_interval(secs => ${seconds})
    where account_key = ${accountKey}`;
};
/** Until the time that a refusal named. */
const passUntil = ({ until }: RateLimited): Promise<void> => pass(inMs(until) / 1_000 + 0.1);
const inMs = (iso: string) => Date.parse(iso) - Date.now();
const woken = () => databases[0].statement((tx) => wakeWaiting(tx));

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
      accountKey = `random-${seed}`;
      const arrivals: number[] = [];
      const random = seededRandom(seed);
      const gates = databases.map((database) => gateOf(limit, { windowMs, database }));
      const taker = async (number: number): Promise<void> => {
        const asker = number % 5 === 0 ? LIVE : walker(`import ${number % 3}`, `workflow ${number}`);
        while (arrivals.length < 3 * limit) {
          const gate = gates[number % 2];
          if (gate === undefined) throw new Error('no gate');
          const permit = await take(gate, { asker, deadlineMs: 1_000, maxWaitMs: 60_000 });
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
    const gate = createRequestGate({ database: databases[0], limits: { git_operations: 10 } });
    const permit = await take(gate, { group: 'git_operations', requests: 4 });
    await permit.answered(ok);
    await take(gate, { group: 'git_operations', requests: 4 });
    await refusal(take(gate, { group: 'git_operations', requests: 4 }));
    expect((await take(gate, { group: 'other' })).leftMs()).toBeGreaterThan(0);
  });

  it('without a limit gives every request, and still counts', async () => {
    const gate = createRequestGate({ database: databases[0] });
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
    const read = databases[0].statement((tx) =>
      readAllowance(tx, { accountKey: 'nobody', group: 'repository_data' }),
    );
    expect(await read).toBeUndefined();
  });

  it('is open to the api, which may not take', async () => {
    await spend(gateOf(10), BACKGROUND);
    const api = createDatabase({ url: testDatabase.apiUrl, maxConnections: 1, applicationName: 'gate test' });
    try {
      const read = await api.statement((tx) => readAllowance(tx, { accountKey, group: 'repository_data' }));
      expect(read).toMatchObject({ used: 1 });
      await expect(take(gateOf(10, { database: api }))).rejects.toMatchObject({ code: '42501' });
    } finally {
      await api.end();
    }
  });
});

describe('shares', () => {
  it('a reserve is kept for what goes first', async () => {
    const gate = gateOf(100);
    expect(await exhaust(gate, walker('import', null))).toBe(97);
    expect(await exhaust(gate, LIVE)).toBe(3);
  });

  it('imports with work get the same, however many of their repositories ask', async () => {
    const gates = databases.map((database) => gateOf(300, { database }));
    const takers = [16, 4, 1].flatMap((count, number) =>
      Array.from({ length: count }, () => ({ consumer: `import ${number}` })),
    );
    const made = new Map<string, number>();
    await Promise.all(
      takers.map(async ({ consumer }, number) => {
        const gate = gates[number % 2];
        if (gate === undefined) throw new Error('no gate');
        const taken = await exhaust(gate, walker(consumer, `${consumer} ${number}`), 1);
        made.set(consumer, (made.get(consumer) ?? 0) + taken);
      }),
    );
    const counts = [...made.values()];
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(291);
    // 97 each
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(9);
  });

  it('a small import beside a giant one is not kept waiting for it', async () => {
    const gate = gateOf(100);
    await spend(gate, walker('small', 'small'));
    // The giant stops where the small one still finds as many as it has.
    const giant = await exhaust(gate, walker('giant', 'giant'));
    expect(giant).toBeGreaterThanOrEqual(47);
    expect(giant).toBeLessThanOrEqual(50);
    expect(await exhaust(gate, walker('small', 'small'))).toBeGreaterThanOrEqual(45);
  });

  it('an import that has nothing to ask holds no room', async () => {
    const gate = gateOf(100);
    await spend(gate, walker('idle', 'idle'));
    await pass(21);
    expect(await exhaust(gate, walker('busy', 'busy'))).toBe(96);
  });

  it('an import that waits for its turn has work, and what comes free goes to whoever has less', async () => {
    const gate = gateOf(100);
    expect(await exhaust(gate, walker('first', 'first'))).toBe(97);
    await passUntil(await refusal(take(gate, { asker: walker('second', 'second') })));
    expect(await exhaust(gate, walker('first', 'first'))).toBeLessThanOrEqual(49);
    expect(await exhaust(gate, walker('second', 'second'))).toBeGreaterThanOrEqual(48);
  });

  it('repositories of one import get their turns in the order in which they came', async () => {
    const gate = gateOf(1_000);
    // Spread over an hour, as a long import's are: 40 requests in each of 24 buckets.
    for (let bucket = 0; bucket < 24; bucket += 1) {
      const permit = await take(gate, { asker: walker('import', null), requests: 40 });
      await permit.answered(ok);
      await pass(123.1);
    }
    await exhaust(gate, walker('import', null));
    const turns: number[] = [];
    for (const waiter of ['a', 'b', 'c', 'd']) {
      const { until } = await refusal(take(gate, { asker: walker('import', waiter) }));
      turns.push(Date.parse(until));
    }
    expect(turns).toEqual(turns.toSorted((one, other) => one - other));
    // 25 requests are a turn, and 40 come free every 123 s
    expect(turns[3]! - turns[0]!).toBeGreaterThan(200_000);
    const again = await refusal(take(gate, { asker: walker('import', 'a') }));
    expect(Date.parse(again.until)).toBe(turns[0]);
  });
});

describe("Bitbucket's word", () => {
  const stating = (headers: Record<string, string>) => new Headers(headers);

  it('about the limit replaces ours, and the newest word counts', async () => {
    const gate = gateOf(50);
    expect(await exhaust(gate)).toBe(48);
    const old = await take(gate, { asker: LIVE });
    await spend(gate, LIVE, stating({ 'x-ratelimit-limit': '60, 60;w=3600' }));
    await old.answered({ status: 200, headers: stating({ 'x-ratelimit-limit': '10' }) });
    expect(await allowance()).toMatchObject({ limit: 60, reserve: 2, used: 50 });
    expect(await exhaust(gate)).toBe(8);
  });

  it('about what remains counts what was used elsewhere, and forgets it when Bitbucket does', async () => {
    const gate = gateOf(100);
    await spend(gate, BACKGROUND, stating({ 'x-ratelimit-remaining': '40' }));
    expect(await allowance()).toMatchObject({ used: 60, remaining: 37 });
    await spend(gate, BACKGROUND, stating({ 'x-ratelimit-remaining': '39' }));
    expect(await allowance()).toMatchObject({ used: 61 });
    await spend(gate, BACKGROUND, stating({ 'x-ratelimit-remaining': '97' }));
    expect(await allowance()).toMatchObject({ used: 3 });
  });

  it('about what remains does not count our own requests under way twice', async () => {
    const gate = gateOf(100);
    const under = await Promise.all(Array.from({ length: 5 }, () => take(gate)));
    const last = await take(gate);
    await last.answered({ status: 200, headers: stating({ 'x-ratelimit-remaining': '94' }) });
    for (const permit of under) {
      await permit.answered({ status: 200, headers: stating({ 'x-ratelimit-remaining': '95' }) });
    }
    expect(await allowance()).toMatchObject({ used: 6 });
  });

  it.each([
    ['true', 80],
    ['1', 80],
    ['200', 1],
  ])('that the end is near (%s) means that a fifth is left at most', async (near, used) => {
    const gate = gateOf(100);
    await spend(gate, BACKGROUND, stating({ 'x-ratelimit-nearlimit': near }));
    expect(await allowance()).toMatchObject({ used });
    await spend(gate, BACKGROUND, stating({ 'x-ratelimit-nearlimit': 'false' }));
    expect((await allowance()).used).toBeLessThanOrEqual(80);
  });

  it('that there is no room is believed although our window has some', async () => {
    const gate = gateOf(100);
    const permit = await take(gate);
    await permit.answered({ status: 429, headers: stating({ 'retry-after': '120' }) });
    const error = await refusal(take(gate));
    expect(error.why).toBe('Bitbucket asked to wait');
    expect(Math.round(inMs(error.until) / 1_000)).toBe(120);
    expect((await allowance()).blockedUntil).not.toBeNull();
  });
});

describe('a host that is down', () => {
  const broken = { status: 503, headers: new Headers() };
  const failOnce = async (gate: RequestGate): Promise<void> => {
    await (await take(gate)).answered(broken);
  };
  /** As if so much time had passed since the host failed. */
  const wait = (seconds: number) => superuser`update request_limits
    set blocked_until = blocked_until - make_interval(secs => ${seconds}) where account_key = ${accountKey}`;

  it('is asked by one request at a time once five in a row have failed, in an outage of half an hour 14 times at most', async () => {
    const gate = gateOf(0);
    let asked = 0;
    for (let seconds = 0; seconds < 1_800; ) {
      try {
        await failOnce(gate);
        asked += 1;
      } catch (error) {
        if (!(error instanceof RateLimited)) throw error;
        expect(error.why).toBe('Bitbucket does not answer');
        const left = Math.ceil(inMs(error.until) / 1_000);
        expect(left).toBeGreaterThan(58);
        seconds += left;
        await wait(left);
      }
    }
    expect(asked).toBeGreaterThan(9);
    expect(asked).toBeLessThanOrEqual(14);
    // The probe that is answered lifts it for all.
    await (await take(gate)).answered(ok);
    await Promise.all([take(gate), take(gate), take(gate)]);
  });

  it('lets only one through while it is probed', async () => {
    const gate = gateOf(0);
    for (let failure = 0; failure < 5; failure += 1) await failOnce(gate);
    await wait(61);
    const probe = await take(gate);
    expect(probe.probing).toBe(true);
    expect((await refusal(take(gate))).why).toBe('Bitbucket does not answer');
    await probe.failed();
    expect(inMs((await refusal(take(gate))).until)).toBeGreaterThan(100_000);
  });

  it('is not what failures between answers are, nor many that were under way at once', async () => {
    const gate = gateOf(0);
    for (let round = 0; round < 3; round += 1) {
      for (let failure = 0; failure < 4; failure += 1) await failOnce(gate);
      await (await take(gate)).answered(ok);
    }
    const underWay = await Promise.all(Array.from({ length: 20 }, () => take(gate)));
    for (const permit of underWay) await permit.failed();
    // As after the fifth: a minute, not five.
    expect(inMs((await refusal(take(gate))).until)).toBeLessThan(61_000);
  });
});

describe('a workflow that waits', () => {
  const waiting = async (gate: RequestGate, ...names: string[]) => {
    for (const name of names) {
      await refusal(take(gate, { asker: walker(name.split('/')[0] ?? name, name) }));
    }
  };

  it('is left alone while nothing has changed', async () => {
    const gate = gateOf(100);
    await exhaust(gate, walker('import', null));
    await waiting(gate, 'import/1', 'import/2');
    expect(await woken()).toEqual([]);
  });

  it('is woken when the limit is raised, in its order, and named again until it comes', async () => {
    const gate = gateOf(100);
    await exhaust(gate, walker('import', null));
    await waiting(gate, 'import/1', 'import/2', 'import/3');
    await spend(gate, LIVE, new Headers({ 'x-ratelimit-limit': '106' }));
    // 3 of 102 are a turn, 4 came free
    expect(await woken()).toEqual(['import/1']);
    expect(await woken()).toEqual([]);
    await pass(11);
    expect(await woken()).toContain('import/1');
    await take(gate, { asker: walker('import', 'import/1') });
    await pass(11);
    expect(await woken()).not.toContain('import/1');
  });

  it('is woken when another import, for which room was kept, has ended', async () => {
    const gate = gateOf(100);
    await spend(gate, walker('other', 'other/1'));
    await exhaust(gate, walker('import', null));
    await waiting(gate, 'import/1');
    expect(await woken()).toEqual([]);
    await pass(21);
    expect(await woken()).toEqual(['import/1']);
  });

  it('that is cancelled or paused leaves its turn to the others', async () => {
    const gate = gateOf(100);
    await exhaust(gate, walker('import', null));
    // The other import has nothing in the window yet, so it goes first when something comes free.
    await passUntil(await refusal(take(gate, { asker: walker('other', 'other/1') })));
    expect(await exhaust(gate, walker('import', null))).toBeLessThanOrEqual(49);
    await databases[0].statement((tx) => stopWaiting(tx, 'other/1'));
    await exhaust(gate, walker('import', null));
    expect(await allowance()).toMatchObject({ used: 97 });
  });

  it('is woken when what it waits for is no longer what it needs', async () => {
    const gate = gateOf(100);
    await exhaust(gate, walker('import', null));
    await waiting(gate, 'import/1');
    await databases[0].statement((tx) => releaseWaiting(tx, ['import']));
    expect(await woken()).toEqual(['import/1']);
  });

  it('is woken one at a time behind a refusal', async () => {
    const gate = gateOf(100);
    const permit = await take(gate);
    await permit.answered({ status: 429, headers: new Headers({ 'retry-after': '600' }) });
    await waiting(gate, 'import/1', 'import/2', 'import/3');
    expect(await woken()).toEqual([]);
    await superuser`update request_limits set blocked_until = clock_timestamp() where account_key = ${accountKey}`;
    expect(await woken()).toHaveLength(1);
  });

  it('is told by a permit how long it has waited', async () => {
    const waits: number[] = [];
    const gate = createRequestGate({
      database: databases[0],
      limits: { repository_data: 10 },
      onTaken: ({ waitedMs }) => waits.push(waitedMs),
    });
    await exhaust(gate, walker('import', 'import/1'));
    await pass(3_620);
    await take(gate, { asker: walker('import', 'import/1') });
    expect(waits.at(-1)).toBeGreaterThan(3_600_000);
  });
});
