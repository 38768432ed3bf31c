import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { sql } from 'drizzle-orm';
import postgres from 'postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createDatabase, type Database, type Transaction } from '../../../db/client.ts';
import { DatabaseError } from '../../../db/errors.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';
import { createTcpProxy, type TcpProxy } from '../../support/tcpProxy.ts';
import { waitFor } from '../../support/waitFor.ts';

/** An error that nobody catches would fail this run: vitest counts it. */
let testDatabase: TestDatabase;
let superuser: postgres.Sql;
let proxy: TcpProxy;
const databases: Database[] = [];

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  superuser = postgres(testDatabase.superuserUrl, { max: 2 });
  proxy = await createTcpProxy(new URL(testDatabase.workerUrl).host);
});
afterAll(async () => {
  await Promise.all(databases.map((database) => database.end()));
  await superuser.end();
  await proxy.close();
  await testDatabase.drop();
});

interface Options {
  maxConnections: number;
  idleTransactionMs?: number;
  host?: string;
  search?: string;
}

function open({ host, search = '', ...options }: Options): Database {
  const url = new URL(testDatabase.workerUrl);
  url.search = search;
  if (host !== undefined) url.host = host;
  const database = createDatabase({ url: url.href, applicationName: 'lost connection test', ...options });
  databases.push(database);
  return database;
}

const pidOf = async (tx: Transaction): Promise<number> => {
  const [row] = await tx.execute(sql`select pg_backend_pid() as pid`);
  return Number(row?.['pid']);
};

const gone = (pid: number) =>
  waitFor({
    what: 'the backend is gone',
    read: async () => (await superuser`select 1 from pg_stat_activity where pid = ${pid}`).length,
    until: (count) => count === 0,
  });

const failure = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => 'it went through',
    (error: unknown) => error,
  );

/** How work is done on a connection: what only reads does not wait for its commit, so the next may find it under way. */
const KINDS = ['transaction', 'read'] as const;
type Kind = (typeof KINDS)[number];
const within = <T>(kind: Kind, database: Database, work: (tx: Transaction) => Promise<T>): Promise<T> =>
  kind === 'read' ? database.read('', work) : database.withoutTenant(work);

test.each(KINDS)(
  'a connection that ends between two statements costs its transaction, and nothing else: %s',
  async (kind) => {
    const database = open({ maxConnections: 1 });
    const lost = await failure(
      within(kind, database, async (tx) => {
        const pid = await pidOf(tx);
        await superuser`select pg_terminate_backend(${pid})`;
        await gone(pid);
        await tx.execute(sql`select 1`).catch(() => {});
        await tx.execute(sql`select 2`);
      }),
    );
    expect(lost).toBeInstanceOf(DatabaseError);
    expect(await within(kind, database, pidOf)).toBeGreaterThan(0);
  },
);

test.each(KINDS)('a connection that ends during a statement does too: %s', async (kind) => {
  const database = open({ maxConnections: 1 });
  const lost = await failure(
    within(kind, database, async (tx) => {
      const pid = await pidOf(tx);
      const running = tx.execute(sql`select pg_sleep(60)`);
      await Promise.all([running, superuser`select pg_terminate_backend(${pid})`]);
    }),
  );
  expect(lost).toBeInstanceOf(DatabaseError);
  expect(await within(kind, database, pidOf)).toBeGreaterThan(0);
});

test.each(KINDS)(
  'one that breaks off does too, also for statements that come between its error and its close: %s',
  async (kind) => {
    const database = open({ maxConnections: 1, host: proxy.address });
    const lost = await failure(
      within(kind, database, async (tx) => {
        await tx.execute(sql`select 1`);
        const running = tx.execute(sql`select pg_sleep(60)`).catch(() => {});
        await waitFor({
          what: 'the statement runs',
          read: async () =>
            (await superuser`select 1 from pg_stat_activity where wait_event = 'PgSleep'`).length,
          until: (count) => count > 0,
        });
        proxy.reset();
        await running;
        await tx.execute(sql`select 2`);
      }),
    );
    expect(lost).toBeInstanceOf(DatabaseError);
    expect(await within(kind, database, pidOf)).toBeGreaterThan(0);
  },
);

test.each(KINDS)('idle connections that ended are replaced: %s', async (kind) => {
  const database = open({ maxConnections: 3 });
  const pids = await Promise.all([1, 2, 3].map(() => within(kind, database, pidOf)));
  await superuser`select pg_terminate_backend(pid) from unnest(${pids}::int[]) as pid`;
  await Promise.all([...new Set(pids)].map(gone));
  const after = await waitFor({
    what: 'every place of the pool works',
    read: () => Promise.all([1, 2, 3].map(() => within(kind, database, pidOf))),
    until: (now) => now.every((pid) => !pids.includes(pid)),
  });
  expect(after).toHaveLength(3);
});

test.each(KINDS)(
  'a statement that comes after its transaction has ended is refused, not run in the next one: %s',
  async (kind) => {
    const database = open({ maxConnections: 1 });
    let late: Transaction | undefined;
    await failure(
      within(kind, database, async (tx) => {
        late = tx;
        throw new Error('given up');
      }),
    );
    await within(kind, database, async (tx) => {
      expect(await pidOf(tx)).toBeGreaterThan(0);
      expect(await failure(Promise.resolve(late?.execute(sql`select 1`)))).not.toBe('it went through');
    });
  },
);

test('a failed statement that was passed over does not count as committed', async () => {
  const database = open({ maxConnections: 1 });
  const passedOver = database.withoutTenant(async (tx) => {
    await tx.execute(sql`select 1/0`).catch(() => {});
    return 'done';
  });
  expect(await failure(passedOver)).toMatchObject({ code: '25P02' });
});

test('a process that froze in the middle of a transaction loses its locks', async () => {
  const frozen = open({ maxConnections: 1, idleTransactionMs: 200 });
  const other = open({ maxConnections: 1 });
  const lock = sql`select pg_advisory_xact_lock(4711)`;
  const lost = await failure(
    frozen.withoutTenant(async (tx) => {
      await tx.execute(lock);
      await other.withoutTenant((successor) => successor.execute(lock));
      await tx.execute(sql`select 1`);
    }),
  );
  expect(lost).toBeInstanceOf(DatabaseError);
});

test.each(KINDS)('users wait for a place, and the end waits for them: %s', async (kind) => {
  const database = open({ maxConnections: 2 });
  const slow = (tx: Transaction) => tx.execute(sql`select pg_sleep(0.05), pg_backend_pid() as pid`);
  const all = [1, 2, 3, 4, 5].map(() => within(kind, database, slow));
  await Promise.all([...all, database.end()]);
  const pids = (await Promise.all(all)).map(([row]) => Number(row?.['pid']));
  expect(new Set(pids).size).toBeLessThanOrEqual(2);
});

test('a Postgres that is not there is said so, soon', async () => {
  const url = new URL(testDatabase.workerUrl);
  url.port = '1';
  const database = createDatabase({ url: url.href, maxConnections: 1, applicationName: 'nobody' });
  databases.push(database);
  expect(await failure(database.withoutTenant(pidOf))).toMatchObject({ code: '08006' });
});

test('whatever else keeps a connection from being opened is said so too, with its cause', async () => {
  // It agrees to TLS, and speaks none: an error that is neither the system's nor Postgres'.
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', () => {
      socket.write('S');
      socket.once('data', () => socket.end('no TLS'));
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const database = open({ maxConnections: 1, host, search: '?sslmode=require' });
  expect(await failure(database.withoutTenant(pidOf))).toMatchObject({
    name: 'DatabaseError',
    code: '08001',
    cause: { code: expect.stringContaining('SSL') },
  });
  server.close();
});
