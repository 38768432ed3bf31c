import postgres from 'postgres';
import { afterAll, beforeAll, beforeEach } from 'vitest';
import { type Asker, BACKGROUND } from '../../activities/bitbucket/asker.ts';
import { RateLimited } from '../../activities/bitbucket/errors.ts';
import {
  createRequestGate,
  type Permit,
  type RequestGate,
  type TakeRequest,
} from '../../activities/bitbucket/requestGate.ts';
import { createDatabase, type Database } from '../../db/client.ts';
import { type Allowance, readAllowance } from '../../db/queries/allowance.ts';
import { createTestDatabase, type TestDatabase } from './database.ts';

const never = new AbortController().signal;
export const ok = { status: 200, headers: new Headers() };
export const inMs = (iso: string): number => Date.parse(iso) - Date.now();

/** The request gate on a database of the test file's own, a new account in each test, and time that can be passed. */
export interface GateBench {
  /** two pools, as two worker processes have */
  readonly databases: readonly [Database, Database];
  readonly testDatabase: TestDatabase;
  readonly superuser: postgres.Sql;
  /** of this test */
  readonly accountKey: string;
  readonly gateOf: (limit: number, options?: { windowMs?: number; database?: Database }) => RequestGate;
  readonly take: (gate: RequestGate, more?: Partial<TakeRequest>) => Promise<Permit>;
  /** One request, taken and answered. */
  readonly spend: (gate: RequestGate, asker: Asker, headers?: Headers) => Promise<void>;
  /** Takes and answers until there is no more room, by tens and then one by one; how many went. */
  readonly exhaust: (gate: RequestGate, asker?: Asker, step?: number) => Promise<number>;
  /** What can be read of the account's window. */
  readonly allowance: () => Promise<Allowance>;
  /** Lets time pass, as far as the window can tell. */
  readonly pass: (seconds: number) => Promise<void>;
  /** Until the time that a refusal named. */
  readonly passUntil: (error: RateLimited) => Promise<void>;
}

/** The refusal that the work ends with; throws when it ends well. */
export async function refusal(work: Promise<unknown>): Promise<RateLimited> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof RateLimited) return error;
  throw new Error('it was not refused', { cause: error });
}

/** Called at the top of a test file: opens before its tests, closes behind them. */
export function useGateBench(): GateBench {
  let testDatabase: TestDatabase;
  let superuser: postgres.Sql;
  let databases: [Database, Database];
  let accounts = 0;

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
    await superuser`delete from request_waits`;
  });

  const bench: GateBench = {
    get databases() {
      return databases;
    },
    get testDatabase() {
      return testDatabase;
    },
    get superuser() {
      return superuser;
    },
    get accountKey() {
      return `account-${accounts}`;
    },
    gateOf(limit, { database = databases[0], ...rest } = {}) {
      return createRequestGate({ database, limits: { repository_data: limit }, ...rest });
    },
    take: (gate, more = {}) =>
      gate.take({
        accountKey: bench.accountKey,
        group: 'repository_data',
        signal: never,
        maxWaitMs: 0,
        deadlineMs: 60_000,
        ...more,
      }),
    async spend(gate, asker, headers = new Headers()) {
      const permit = await bench.take(gate, { asker });
      await permit.answered({ status: 200, headers });
    },
    async exhaust(gate, asker = BACKGROUND, step = 10) {
      for (let taken = 0; ; taken += step) {
        try {
          const permit = await bench.take(gate, { asker, requests: step });
          await permit.answered(ok);
        } catch (error) {
          if (!(error instanceof RateLimited)) throw error;
          return step === 1 ? taken : taken + (await bench.exhaust(gate, asker, 1));
        }
      }
    },
    async allowance() {
      const { accountKey } = bench;
      const read = await databases[1].statement((tx) =>
        readAllowance(tx, { accountKey, group: 'repository_data' }),
      );
      if (read === undefined) throw new Error('nothing was taken yet');
      return read;
    },
    async pass(seconds) {
      const { accountKey } = bench;
      // By way of another century: unique keys are looked at row by row.
      await superuser`update request_uses set leaves_at = leaves_at - interval '36500 days'
        where account_key = ${accountKey}`;
      await superuser`update request_uses set leaves_at = leaves_at + interval '36500 days' - make_interval(secs => ${seconds})
        where account_key = ${accountKey}`;
      await superuser`update request_waits set since = since - make_interval(secs => ${seconds}),
        until = until - make_interval(secs => ${seconds}), woken_at = woken_at - make_interval(secs => ${seconds})
        where account_key = ${accountKey}`;
    },
    passUntil: ({ until }) => bench.pass(inMs(until) / 1_000 + 0.1),
  };
  return bench;
}
