import { MockActivityEnvironment } from '@temporalio/testing';
import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createDatabase, type Database } from '../../../db/client.ts';
import { AttemptOver } from '../../../platform/attempt.ts';
import { createAttemptEnds } from '../../../worker/attemptEnds.ts';
import { useDatabaseBench } from '../../support/databaseBench.ts';
import { waitFor } from '../../support/waitFor.ts';

/** A worker that was frozen in an activity that only writes rows (reliability.md, F05): the next attempt's word stands. */
const bench = useDatabaseBench({ role: 'worker' });
const LASTS_MS = 500;

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
  const nameOf = async () => (await tenant.integration())?.['name'];
  const attempt = (name: string, before: () => Promise<unknown> = async () => {}): Promise<void> =>
    new MockActivityEnvironment({ startToCloseTimeoutMs: LASTS_MS }).run(async () => {
      await createAttemptEnds().execute?.({ args: [], headers: {} }, async () => {
        await before();
        await database.transaction(tenant.organizationId, (tx) =>
          tx.execute(sql`update integrations set name = ${name} where id = ${tenant.integrationId}`),
        );
      });
    });
  const late = attempt('by the one that was frozen', async () => {
    const began = performance.now();
    await waitFor({
      what: 'the next one has written',
      read: nameOf,
      until: (name) => name === 'by the next one',
    });
    await waitFor({
      what: 'its time is out',
      read: () => performance.now() - began,
      until: (ms) => ms > LASTS_MS + 1,
    });
  }).catch((error: unknown) => error);
  await attempt('by the next one');
  expect(await late).toBeInstanceOf(AttemptOver);
  expect(await nameOf()).toBe('by the next one');
});
