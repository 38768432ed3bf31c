import { Client, Connection, ScheduleNotFoundError } from '@temporalio/client';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { schedulePolls } from '../../activities/poll/schedule.ts';
import { spaceAllPolls, startSpacingPolls } from '../../worker/pollSchedules.ts';
import { pollId } from '../../workflows/ids.ts';
import { useDatabaseBench } from '../support/databaseBench.ts';
import type { TestTenant } from '../support/integrationRows.ts';
import { waitFor } from '../support/waitFor.ts';

/** What a worker that starts with another `POLL_INTERVAL_MS` does to the schedules that are there. */
const bench = useDatabaseBench({ role: 'worker' });
let client: Client;

beforeAll(async () => {
  const { temporalAddress: address, temporalNamespace: namespace } = inject('servers');
  client = new Client({ connection: await Connection.connect({ address }), namespace });
});
afterAll(() => client.connection.close());

const MINUTE_MS = 60_000;
const taskQueue = 'nobody-polls';

const make = ({ organizationId, integrationId }: TestTenant, active: boolean) => {
  const of = { organizationId, integrationId, taskQueue, name: 'Acme' };
  return schedulePolls(client, { ...of, active, intervalMs: 15 * MINUTE_MS });
};

const space = (minutes: number) =>
  spaceAllPolls({
    database: bench.database,
    client,
    taskQueue,
    intervalMs: minutes * MINUTE_MS,
    log: pino({ level: 'silent' }),
  });

/** Minutes between two rounds, and whether it rests; null: there is no schedule. */
async function scheduleOf({ integrationId }: TestTenant) {
  try {
    const { spec, state } = await client.schedule.getHandle(pollId(integrationId)).describe();
    return { minutes: (spec.intervals?.[0]?.every ?? 0) / MINUTE_MS, rests: state.paused };
  } catch (error) {
    if (error instanceof ScheduleNotFoundError) return null;
    throw error;
  }
}

test('a changed interval reaches the schedules of active integrations; lost ones are made anew, and none rests', async () => {
  const [scheduled, lost, resting, paused] = [
    await bench.tenant('active'),
    await bench.tenant('active'),
    await bench.tenant('active'),
    await bench.tenant('paused'),
  ];
  await make(scheduled, true);
  await make(resting, false);
  await make(paused, false);
  const all = () => Promise.all([scheduled, lost, resting, paused].map(scheduleOf));

  expect(await space(30)).toEqual({ changed: 3, failed: 0 });
  expect(await space(30)).toEqual({ changed: 0, failed: 0 });
  expect(await all()).toEqual([
    { minutes: 30, rests: false },
    { minutes: 30, rests: false },
    // Two updates met. The run of a paused one gives it the interval when it is resumed.
    { minutes: 30, rests: false },
    { minutes: 15, rests: true },
  ]);
  expect(await space(0)).toEqual({ changed: 3, failed: 0 });
  expect(await all()).toEqual([null, null, null, { minutes: 15, rests: true }]);
  await client.schedule.getHandle(pollId(paused.integrationId)).delete();
});

test('a schedule that an operator deleted is made again while the worker runs', async () => {
  const tenant = await bench.tenant('active');
  const options = { database: bench.database, client, taskQueue, intervalMs: 15 * MINUTE_MS };
  const isThere = () =>
    waitFor({ what: 'the schedule is there', read: () => scheduleOf(tenant), until: (it) => it !== null });
  const stop = startSpacingPolls({ ...options, log: pino({ level: 'silent' }) }, 100);
  try {
    await isThere();
    await client.schedule.getHandle(pollId(tenant.integrationId)).delete();
    expect(await isThere()).toEqual({ minutes: 15, rests: false });
  } finally {
    await stop();
  }
  await client.schedule.getHandle(pollId(tenant.integrationId)).delete();
});
