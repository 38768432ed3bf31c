import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createDatabase, type Database } from '../../../db/client.ts';
import { useDatabaseBench } from '../../support/databaseBench.ts';
import { createTcpProxy, type TcpProxy } from '../../support/tcpProxy.ts';

/** A host that lost its power or its way ends no connection: the system learns of it after a quarter of an hour. */
const bench = useDatabaseBench({ role: 'worker' });
const PLACES = 3;
const ONE = sql`select 1 as one`;

let proxy: TcpProxy;
let database: Database;
beforeAll(async () => {
  const url = new URL(bench.testDatabase.workerUrl);
  proxy = await createTcpProxy(url.host);
  url.host = proxy.address;
  database = createDatabase({
    url: url.href,
    maxConnections: PLACES,
    applicationName: 'vanished peer',
    statementTimeoutMs: 200,
  });
});
afterAll(async () => {
  await database.end();
  await proxy.close();
});

const everyPlace = (work: (of: Database) => Promise<unknown>) =>
  Promise.allSettled(Array.from({ length: PLACES }, () => work(database)));

test.each<[string, (of: Database) => Promise<unknown>]>([
  ['a statement', (of) => of.statement((tx) => tx.execute(ONE))],
  ['a read', (of) => of.read('', (tx) => tx.execute(ONE))],
  ['a transaction', (of) => of.withoutTenant((tx) => tx.execute(ONE))],
])('%s that has no answer ends its connection, and the next one opens another', async (_what, work) => {
  for (const { status } of await everyPlace(work)) expect(status).toBe('fulfilled');
  proxy.vanish();
  for (const outcome of await everyPlace(work))
    expect(outcome).toMatchObject({ status: 'rejected', reason: { name: 'DatabaseError', code: '08006' } });
  for (const { status } of await everyPlace(work)) expect(status).toBe('fulfilled');
});

test('a commit that has no answer ends its connection, and the next call opens another', async () => {
  const lost = database.withoutTenant(async (tx) => {
    await tx.execute(ONE);
    proxy.vanish();
  });
  await expect(lost).rejects.toMatchObject({ name: 'DatabaseError', code: '08006' });
  expect([...(await database.statement((tx) => tx.execute(ONE)))]).toEqual([{ one: 1 }]);
});

test('a slow statement is ended by Postgres, and its connection stays', async () => {
  const pid = sql`select pg_backend_pid() as pid`;
  const single = createDatabase({
    url: bench.testDatabase.workerUrl,
    maxConnections: 1,
    applicationName: 'slow statement',
    statementTimeoutMs: 200,
  });
  const before = [...(await single.statement((tx) => tx.execute(pid)))];
  await expect(single.statement((tx) => tx.execute(sql`select pg_sleep(60)`))).rejects.toMatchObject({
    code: '57014',
  });
  expect([...(await single.statement((tx) => tx.execute(pid)))]).toEqual(before);
  await single.end();
});
