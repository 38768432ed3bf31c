import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { boundedDatabase } from '../../../api/boundedDatabase.ts';
import { createWebhookIntake, type WebhookIntake } from '../../../api/webhooks/intake.ts';
import { createDatabase, type Database } from '../../../db/client.ts';
import { useDatabaseBench } from '../../support/databaseBench.ts';
import { createLocalApi, WEBHOOK_KEY } from '../../support/localApi.ts';
import { createStatementTap, type StatementTap } from '../../support/statementTap.ts';
import { waitFor } from '../../support/waitFor.ts';
import { createHook, pushBody, type TestHook } from '../../support/webhooks.ts';

/** What the receiver asks of Postgres, counted on the wire. */
const bench = useDatabaseBench({ role: 'api' });

let tap: StatementTap;
let database: Database;
let intake: WebhookIntake;
let api: ReturnType<typeof createLocalApi>;
let address: string;
/** deliveries that were handed to the writer */
let handedOn = 0;
let hooks: TestHook[];

beforeAll(async () => {
  tap = await createStatementTap(bench.testDatabase.apiUrl);
  // One connection: what is prepared on it once is prepared.
  database = createDatabase({ url: tap.url, maxConnections: 1, applicationName: 'receiver' });
  const own = createWebhookIntake({ database: boundedDatabase(database, 60_000), webhookKey: WEBHOOK_KEY });
  intake = {
    ...own,
    writer: {
      store(delivery) {
        handedOn += 1;
        return own.writer.store(delivery);
      },
    },
  };
  api = createLocalApi({ databaseUrl: bench.testDatabase.apiUrl, more: { intake } });
  address = await api.listen();
  hooks = [];
  for (let n = 0; n < 2; n += 1) {
    const tenant = await bench.tenant('active');
    await tenant.repositories(1);
    hooks.push(await createHook(bench.sql, tenant, { key: WEBHOOK_KEY }));
  }
  // What stores them is prepared from now on.
  await send(hooks[0]!);
});
afterAll(async () => {
  await api.close();
  await database.end();
  await tap.close();
});
// A hook that was found is kept for ten seconds.
beforeEach(async () => {
  for (const { path } of hooks) await intake.hooks.findAgain(path.split('/').at(-1)!);
});

async function send(hook: TestHook): Promise<void> {
  const init = { method: 'POST', ...hook.delivery('repo:push', pushBody('{any}')) };
  const { status } = await fetch(`${address}${hook.path}`, init);
  expect(status).toBe(202);
}

const STORING = expect.stringMatching(/^\s*select \* from store_webhook_deliveries\(/) as string;
const storedRows = async () => (await bench.sql`select 1 from webhook_deliveries`).length;

test('a delivery is stored by one statement in one round trip', async () => {
  const before = await storedRows();
  tap.take();
  await send(hooks[0]!);
  expect(tap.take()).toEqual({ statements: [STORING], waits: 1 });
  expect(await storedRows()).toBe(before + 1);
});

test('fifty that come while one is written, of two tenants, are stored by one statement more', async () => {
  const before = await storedRows();
  handedOn = 0;
  tap.take();
  const answers: Promise<void>[] = [];
  await bench.sql.begin(async (locking) => {
    await locking`lock table webhook_deliveries in share mode`;
    answers.push(send(hooks[0]!));
    await waitFor({
      what: 'the first waits for Postgres',
      read: () => bench.sql`select 1 from pg_stat_activity
        where application_name = 'receiver' and cardinality(pg_blocking_pids(pid)) > 0`,
      until: (blocked) => blocked.length === 1,
    });
    for (let n = 0; n < 50; n += 1) answers.push(send(hooks[n % 2]!));
    await waitFor({ what: 'the writer has all', read: () => handedOn, until: (count) => count === 51 });
  });
  await Promise.all(answers);
  expect(tap.take()).toEqual({ statements: [STORING, STORING], waits: 2 });
  expect(await storedRows()).toBe(before + 51);
});
