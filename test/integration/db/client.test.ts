import { type AddressInfo, connect, createServer } from 'node:net';
import { sql } from 'drizzle-orm';
import { v7 as uuid } from 'uuid';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { createDatabase, type Database } from '../../../db/client.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';

let testDatabase: TestDatabase;
let worker: Database;

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  worker = createDatabase({ url: testDatabase.workerUrl, maxConnections: 4, applicationName: 'client test' });
});

afterAll(async () => {
  await worker.end();
  await testDatabase.drop();
});

test('timestamps keep their microseconds', async () => {
  const [row] = await worker.withoutTenant((tx) =>
    tx.execute(sql`select '2026-10-07T18:39:55.551762+00:00'::timestamptz as at`),
  );
  expect(row?.['at']).toBe('2026-10-07 18:39:55.551762+00');
});

test('an error of the database carries its code, and neither statement nor parameters', async () => {
  const refused = await worker
    .transaction(uuid(), (tx) =>
      tx.execute(sql`insert into request_limits (account_key, limit_group) values (${'canary'}, null)`),
    )
    .catch((error: unknown) => error);
  expect(refused).toMatchObject({ name: 'DatabaseError', code: '23502', table: 'request_limits' });
  expect(JSON.stringify(refused) + String(refused)).not.toContain('canary');
});

test('two transactions that deadlock both end well', async () => {
  await worker.withoutTenant((tx) =>
    tx.execute(sql`insert into request_limits (account_key, limit_group) values ('a', 'x'), ('b', 'x')`),
  );
  let arrived = 0;
  let bothHold: () => void = () => {};
  const meeting = new Promise<void>((resolve) => {
    bothHold = resolve;
  });
  const lockThen = (first: string, second: string) =>
    worker.withoutTenant(async (tx) => {
      await tx.execute(sql`update request_limits set refusals = refusals + 1 where account_key = ${first}`);
      arrived += 1;
      if (arrived === 2) bothHold();
      await meeting;
      await tx.execute(sql`update request_limits set refusals = refusals + 1 where account_key = ${second}`);
    });
  await Promise.all([lockThen('a', 'b'), lockThen('b', 'a')]);
  expect(arrived).toBeGreaterThan(2);
  const rows = await worker.withoutTenant((tx) => tx.execute(sql`select refusals from request_limits`));
  expect(rows.map((row) => row['refusals'])).toEqual([2, 2]);
});

test('an error of the work itself passes through and nothing is written', async () => {
  const own = new Error('own');
  const failed = worker.withoutTenant(async (tx) => {
    await tx.execute(sql`insert into request_limits (account_key, limit_group) values ('never', 'x')`);
    throw own;
  });
  await expect(failed).rejects.toBe(own);
  const rows = await worker.withoutTenant((tx) =>
    tx.execute(sql`select 1 from request_limits where account_key = 'never'`),
  );
  expect(rows).toHaveLength(0);
});

describe('reading', () => {
  test('writes nothing', async () => {
    const refused = worker.read(uuid(), (tx) =>
      tx.execute(sql`insert into request_limits (account_key, limit_group) values ('read', 'x')`),
    );
    await expect(refused).rejects.toMatchObject({ name: 'DatabaseError', code: '25006' });
    const rows = await worker.withoutTenant((tx) =>
      tx.execute(sql`select 1 from request_limits where account_key = 'read'`),
    );
    expect(rows).toHaveLength(0);
  });

  test('fails as a whole when one of its statements does, and the next on the same connection does not', async () => {
    const single = createDatabase({
      url: testDatabase.workerUrl,
      maxConnections: 1,
      applicationName: 'reading',
    });
    const failed = single.read(uuid(), (tx) =>
      Promise.all([tx.execute(sql`select 1 / 0`), tx.execute(sql`select 1`)]),
    );
    const next = single.transaction(uuid(), (tx) => tx.execute(sql`select 2 as two`));
    await expect(failed).rejects.toMatchObject({ code: '22012' });
    expect([...(await next)]).toEqual([{ two: 2 }]);
    await single.end();
  });

  test('what still goes on when a transaction has ended sends nothing more', async () => {
    const single = createDatabase({
      url: testDatabase.workerUrl,
      maxConnections: 1,
      applicationName: 'left',
    });
    for (const throws of [true, false]) {
      let left: Promise<unknown> = Promise.resolve();
      const transaction = single.transaction(uuid(), async (tx) => {
        left = tx
          .execute(sql`select count(*) from generate_series(1, 300000)`)
          .then(() => tx.execute(sql`select 2`));
        left.catch(() => {});
        if (throws) throw new Error('it gave up');
      });
      await transaction.catch(() => {});
      await expect(left).rejects.toMatchObject({ cause: { code: '08006' } });
    }
    await single.end();
  });

  test('a connection that has read as a tenant writes as another, and as nobody', async () => {
    const single = createDatabase({
      url: testDatabase.workerUrl,
      maxConnections: 1,
      applicationName: 'reading',
    });
    const [first, second] = [uuid(), uuid()];
    const seen = sql`select current_setting('app.organization') as tenant, current_setting('transaction_read_only') as only`;
    const read = async (organization: string) => [
      ...(await single.read(organization, (tx) => tx.execute(seen))),
    ];
    expect(await read(first)).toEqual([{ tenant: first, only: 'on' }]);
    expect([...(await single.statement((tx) => tx.execute(seen)))]).toEqual([{ tenant: '', only: 'off' }]);
    expect(await read(second)).toEqual([{ tenant: second, only: 'on' }]);
    expect(await read(second)).toEqual([{ tenant: second, only: 'on' }]);
    expect([...(await single.transaction(first, (tx) => tx.execute(seen)))]).toEqual([
      { tenant: first, only: 'off' },
    ]);
    expect(await read(first)).toEqual([{ tenant: first, only: 'on' }]);
    expect([...(await single.withoutTenant((tx) => tx.execute(seen)))]).toEqual([
      { tenant: '', only: 'off' },
    ]);
    await single.end();
  });

  test('sends nothing but the statement where the last reader was the same tenant', async () => {
    const single = createDatabase({
      url: testDatabase.workerUrl,
      maxConnections: 1,
      applicationName: 'reading',
    });
    const organization = uuid();
    const isAlone = () =>
      single.read(organization, (tx) =>
        tx.execute(
          sql`select query_start = xact_start as alone from pg_stat_activity where pid = pg_backend_pid()`,
        ),
      );
    await isAlone();
    expect([...(await isAlone())]).toEqual([{ alone: true }]);
    await single.end();
  });

  test('what is not an organization reads nothing', async () => {
    const work = vi.fn<() => Promise<void>>(async () => {});
    await expect(worker.read("'; reset role", work)).rejects.toThrow('is no organization');
    expect(work).not.toHaveBeenCalled();
  });
});

test('a pooler that does not pass the settings of a session on is refused', async () => {
  const { hostname, port } = new URL(testDatabase.workerUrl);
  const pooler = createServer((client) => {
    const server = connect(Number(port), hostname);
    client.once('data', (hello) => {
      server.write(hello.toString('latin1').replace('enable_seqscan\0off', 'enable_seqscan\0yes'), 'latin1');
      client.pipe(server);
    });
    server.pipe(client);
    for (const socket of [client, server]) socket.on('error', () => {});
  });
  await new Promise<void>((resolve) => void pooler.listen(0, '127.0.0.1', resolve));
  const url = new URL(testDatabase.workerUrl);
  url.port = String((pooler.address() as AddressInfo).port);
  const pooled = createDatabase({ url: url.href, maxConnections: 1, applicationName: 'pooled' });
  const read = pooled.read(uuid(), (tx) => tx.execute(sql`select 1`));
  await expect(read).rejects.toThrow('through a pooler that pools sessions');
  await pooled.end();
  pooler.close();
});
