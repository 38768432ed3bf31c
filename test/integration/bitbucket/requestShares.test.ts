import { describe, expect, it } from 'vitest';
import { LIVE, walker } from '../../../activities/bitbucket/asker.ts';
import { createRequestGate, type RequestGate } from '../../../activities/bitbucket/requestGate.ts';
import { releaseWaiting, stopWaiting } from '../../../db/queries/requestBudget.ts';
import { markWoken } from '../../../worker/wakeWaiting.ts';
import { ok, refusal, useGateBench } from '../../support/gateBench.ts';
import { waitFor } from '../../support/waitFor.ts';

const bench = useGateBench();
const { gateOf, take, spend, exhaust, allowance, pass, passUntil } = bench;

describe('shares', () => {
  it('a reserve is kept for what goes first', async () => {
    const gate = gateOf(100);
    expect(await exhaust(gate, walker('import', null))).toBe(97);
    expect(await exhaust(gate, LIVE)).toBe(3);
  });

  it('imports with work get the same, however many of their repositories ask', async () => {
    const gates = bench.databases.map((database) => gateOf(300, { database }));
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

const woken = async () => [...(await markWoken(bench.databases[0]))];

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
    await bench.databases[0].statement((tx) => stopWaiting(tx, 'other/1'));
    await exhaust(gate, walker('import', null));
    expect(await allowance()).toMatchObject({ used: 97 });
  });

  it('is woken when what it waits for is no longer what it needs', async () => {
    const gate = gateOf(100);
    await exhaust(gate, walker('import', null));
    await waiting(gate, 'import/1');
    await bench.databases[0].statement((tx) => releaseWaiting(tx, { consumers: ['import'] }));
    expect(await woken()).toEqual(['import/1']);
  });

  it('is looked for one account behind the other: meanwhile requests of the first go', async () => {
    const gate = gateOf(100);
    await exhaust(gate, walker('import', null));
    await waiting(gate, 'import/1');
    await bench.superuser`insert into request_waits (account_key, limit_group, waiter, consumer, since, until, woken_at)
      values ('another account', 'repository_data', 'other/1', 'other', now(), now(), '-infinity')`;
    let looking: Promise<string[]> | undefined;
    await bench.superuser.begin(async (sql) => {
      await sql`select from request_waits where waiter = 'other/1' for update`;
      looking = woken();
      await waitFor({
        what: 'the look is at the other account',
        read: () => sql`select pid from pg_stat_activity
          where datname = current_database() and cardinality(pg_blocking_pids(pid)) > 0`,
        until: (blocked) => blocked.length === 1,
      });
      await spend(gate, LIVE);
    });
    expect(await looking).toEqual(['other/1']);
  });

  it('is woken one at a time behind a refusal', async () => {
    const gate = gateOf(100);
    const permit = await take(gate);
    await permit.answered({ status: 429, headers: new Headers({ 'retry-after': '600' }) });
    await waiting(gate, 'import/1', 'import/2', 'import/3');
    expect(await woken()).toEqual([]);
    await bench.superuser`update request_limits set blocked_until = clock_timestamp() where account_key = ${bench.accountKey}`;
    expect(await woken()).toHaveLength(1);
  });

  it('is told by a permit how long it has waited', async () => {
    const waits: number[] = [];
    const gate = createRequestGate({
      database: bench.databases[0],
      limits: { repository_data: 10 },
      onTaken: ({ waitedMs }) => waits.push(waitedMs),
    });
    await exhaust(gate, walker('import', 'import/1'));
    await pass(3_620);
    await take(gate, { asker: walker('import', 'import/1') });
    expect(waits.at(-1)).toBeGreaterThan(3_600_000);
  });
});
