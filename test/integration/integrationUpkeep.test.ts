import { randomUUID } from 'node:crypto';
import { Client, Connection, ScheduleNotFoundError } from '@temporalio/client';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { schedulePolls } from '../../activities/poll/schedule.ts';
import { keepIntegrations, startUpkeep } from '../../worker/integrationUpkeep.ts';
import { integrationStart } from '../../workflows/integrationStart.ts';
import * as messages from '../../workflows/messages.ts';
import { pollId } from '../../workflows/ids.ts';
import { untilImport, untilRepository } from '../support/importBench.ts';
import type { TestTenant } from '../support/integrationRows.ts';
import { waitFor } from '../support/waitFor.ts';
import { actor, command, handleOf, integrationGoesOn, useWorkflowBench } from '../support/workflowBench.ts';

/** What a worker does, when it starts and each hour, for integrations that may have lost their run or their schedule. */
const bench = useWorkflowBench();
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

const optionsOf = (minutes: number) => ({
  database: bench.database,
  client,
  taskQueue,
  intervalMs: minutes * MINUTE_MS,
  log: pino({ level: 'silent' }),
});

const keep = (minutes: number) => keepIntegrations(optionsOf(minutes));

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

  expect(await keep(30)).toEqual({ begun: 3, changed: 3, failed: 0 });
  expect(await keep(30)).toEqual({ begun: 0, changed: 0, failed: 0 });
  expect(await all()).toEqual([
    { minutes: 30, rests: false },
    { minutes: 30, rests: false },
    // Two updates met. The run of a paused one gives it the interval when it is resumed.
    { minutes: 30, rests: false },
    { minutes: 15, rests: true },
  ]);
  expect(await keep(0)).toEqual({ begun: 0, changed: 3, failed: 0 });
  expect(await all()).toEqual([null, null, null, { minutes: 15, rests: true }]);
  await client.schedule.getHandle(pollId(paused.integrationId)).delete();
});

test('a schedule that an operator deleted is made again while the worker runs', async () => {
  const tenant = await bench.tenant('active');
  const isThere = () =>
    waitFor({ what: 'the schedule is there', read: () => scheduleOf(tenant), until: (it) => it !== null });
  const stop = startUpkeep(optionsOf(15), 100);
  try {
    await isThere();
    await client.schedule.getHandle(pollId(tenant.integrationId)).delete();
    expect(await isThere()).toEqual({ minutes: 15, rests: false });
  } finally {
    await stop();
  }
  await client.schedule.getHandle(pollId(tenant.integrationId)).delete();
});

test('a run that an operator ended is begun again, and hears what it is told; one that runs is left alone', async () => {
  const tenant = await bench.tenant('active');
  await bench.run(async ({ client: sender, taskQueue: served }) => {
    const look = () => keepIntegrations({ ...optionsOf(0), taskQueue: served });
    const handle = handleOf(sender, tenant);
    const runOf = async () => {
      const { runId, status } = await handle.describe();
      return { runId, status: status.name };
    };
    await look();
    const first = await runOf();
    await handle.terminate('by a test');
    expect((await look()).begun).toBe(1);
    const second = await runOf();
    expect([second.status, second.runId === first.runId]).toEqual(['RUNNING', false]);
    expect(await look()).toEqual({ begun: 0, changed: 0, failed: 0 });
    expect(await runOf()).toEqual(second);
    await handle.executeUpdate(messages.rename, { args: [{ name: 'Heard', actor }] });
    expect((await tenant.snapshot()).name).toBe('Heard');
  }, integrationGoesOn(tenant));
});

test('what a lost run had stored and told nobody is told by the next one: an import that was paused goes on', async () => {
  const tenant = await bench.tenant('active');
  const [id] = await tenant.repositories(1);
  const importId = await tenant.storeImport({ all: true });
  await bench.run(async (run) => {
    run.bitbucket.git.set(id!, ['hang', { done: true }]);
    await command(run, tenant, messages.startImport, { importId, mode: 'changed', actor });
    await untilRepository(tenant, importId, id!, 'running');
    await command(run, tenant, messages.pause, { actor });
    await untilRepository(tenant, importId, id!, 'paused');
    const handle = handleOf(run.client, tenant);
    bench.meanwhile('saveIntegration', { behind: () => handle.terminate('by a test') });
    await command(run, tenant, messages.resume, { actor }).catch(() => {});
    expect((await tenant.snapshot()).state).toBe('active');
    await run.client.workflow.start('integration', integrationStart(await tenant.snapshot(), run.taskQueue));
    await untilImport(tenant, importId, 'completed', 20_000);
  }, integrationGoesOn(tenant));
});

test('one whose run completed was removed: it is not begun again', async () => {
  const tenant = await bench.tenant('active');
  await bench.run(async ({ client: sender, taskQueue: served }) => {
    // Of an organization that has no such row: it completes, as the run of one that is removed does.
    const gone = { ...(await tenant.snapshot()), organizationId: randomUUID() };
    const handle = await sender.workflow.start('integration', integrationStart(gone, served));
    await handle.result();
    expect((await keep(0)).failed).toBe(0);
    expect((await handle.describe()).status.name).toBe('COMPLETED');
  });
});
