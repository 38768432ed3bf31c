import { setTimeout as sleep } from 'node:timers/promises';
import { MockActivityEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { sql } from 'drizzle-orm';
import { createDatabase, type Database } from '../../../db/client.ts';
import { AttemptOver } from '../../../platform/attempt.ts';
import { createAttemptEnds } from '../../../worker/attemptEnds.ts';
import { useDatabaseBench } from '../../support/databaseBench.ts';

/** A worker that was frozen in an activity that only writes rows (reliability.md, F05): the next attempt's word stands. */
const bench = useDatabaseBench({ role: 'worker' });

let database: Database;
beforeAll(() => {
  database = createDatabase({
    url: bench.testDatabase.workerUrl,
    maxConnections: 1,
    applicationName: 'late attempts',
  });
});
afterAll(() => database.end());

test('an attempt whose time ran out writes nothing any more', async () => {
  const tenant = await bench.tenant('active');
  const name = async () => (await tenant.integration())?.['name'];
  const attempt = (written: string, frozenMs: number): Promise<void> =>
    new MockActivityEnvironment({ startToCloseTimeoutMs: 1_000 }).run(async () => {
      await createAttemptEnds().execute?.({ args: [], headers: {} }, async () => {
        await sleep(frozenMs);
        await database.transaction(tenant.organizationId, (tx) =>
          tx.execute(sql`update integrations set name = ${written} where id = ${tenant.integrationId}`),
        );
      });
    });
  const late = attempt('by the one that was frozen', 1_500).catch((error: unknown) => error);
  await attempt('by the next one', 0);
  expect(await late).toBeInstanceOf(AttemptOver);
  expect(await name()).toBe('by the next one');
});
