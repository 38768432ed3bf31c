import { tsToMs } from '@temporalio/common/lib/time.js';
import { expect, test } from 'vitest';
import { v7 as uuid } from 'uuid';
import { estimateWorkflowId } from '../../workflows/ids.ts';
import type { estimateImport } from '../../workflows/estimateImport.ts';
import * as messages from '../../workflows/messages.ts';
import { failureOf } from '../support/fakeBitbucket.ts';
import type { TestTenant } from '../support/integrationRows.ts';
import { waitFor } from '../support/waitFor.ts';
import { actor, command, handleOf, integrationGoesOn, useWorkflowBench } from '../support/workflowBench.ts';
import type { WorkflowRun } from '../support/workflows.ts';

const bench = useWorkflowBench();

async function storeEstimate(tenant: TestTenant, selection: object = { all: true }): Promise<string> {
  const { organizationId, integrationId } = tenant;
  const id = uuid();
  await bench.sql`insert into import_estimates (id, organization_id, integration_id, mode, selection)
    values (${id}, ${organizationId}, ${integrationId}, 'changed', ${bench.sql.json(selection as never)})`;
  return id;
}

const start = (
  run: WorkflowRun,
  tenant: TestTenant,
  estimateId: string,
  more: { historyLimit?: number } = {},
) =>
  run.client.workflow.start<typeof estimateImport>('estimateImport', {
    workflowId: estimateWorkflowId(estimateId),
    taskQueue: run.taskQueue,
    args: [
      { organizationId: tenant.organizationId, integrationId: tenant.integrationId, estimateId, ...more },
    ],
  });

const rowOf = async (id: string) => (await bench.sql`select * from import_estimates where id = ${id}`)[0];
const sampleOf = (id: string) =>
  bench.sql`select * from import_estimate_repositories where estimate_id = ${id} order by place`;

test('asks in chunks about up to thirty repositories, and stores the answer', async () => {
  const tenant = await bench.tenant('active');
  await tenant.repositories(40);
  const id = await storeEstimate(tenant);
  await bench.run(async (run) => {
    run.bitbucket.estimate.push({ asked: 8, requests: 25 }, { asked: 16, requests: 50 }, { done: true });
    const handle = await start(run, tenant, id);
    await handle.result();
    await run.record('estimate', handle.workflowId);
    expect(run.bitbucket.calls).toEqual(Array.from({ length: 3 }, () => `estimateChunk ${id}`));
    expect(await rowOf(id)).toMatchObject({ state: 'done', repositories_total: 40, error: null });
    const sample = await sampleOf(id);
    expect(sample).toHaveLength(30);
    expect(sample.reduce((total, row) => total + Number(row['weight']), 0)).toBeCloseTo(40);
    expect(sample[0]!['result']).toMatchObject({ streams: expect.any(Array) });
    expect(await bench.sql`select 1 from imports where organization_id = ${tenant.organizationId}`).toEqual(
      [],
    );
  });
});

test('at a limit its row says until when, and it goes on by itself', async () => {
  const tenant = await bench.tenant('active');
  await tenant.repositories(2);
  const id = await storeEstimate(tenant);
  await bench.run(async (run) => {
    const until = new Date(Date.now() + 2_500).toISOString();
    const why = 'Bitbucket allowance';
    run.bitbucket.estimate.push(failureOf('RateLimited', { until, why }), { done: true });
    const handle = await start(run, tenant, id);
    const waiting = await waitFor({
      what: 'the estimate waits',
      read: () => rowOf(id),
      until: (row) => row?.['state'] === 'rate_limited',
    });
    expect(waiting).toMatchObject({ waiting_reason: why });
    expect((waiting!['waiting_until'] as Date).toISOString()).toBe(until);
    await run.restart();
    await handle.result();
    await run.record('rate-limited-estimate', handle.workflowId);
    expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(until));
    expect(await rowOf(id)).toMatchObject({ state: 'done', waiting_until: null, waiting_reason: null });
    const { events } = await handle.fetchHistory();
    const timer = events?.find((event) => event.timerStartedEventAttributes);
    const summary = JSON.parse(Buffer.from(timer!.userMetadata!.summary!.data!).toString()) as string;
    expect(summary).toMatch(/^Bitbucket allowance; goes on .*\d\d:\d\d UTC$/);
  });
});

test('a refused credential ends it with the finding, and the integration looks into it', async () => {
  const tenant = await bench.tenant('active');
  await tenant.repositories(1);
  const id = await storeEstimate(tenant);
  await bench.run(async (run) => {
    await command(run, tenant, messages.resume, { actor });
    run.bitbucket.estimate.push(failureOf('AuthRefused'));
    const handle = await start(run, tenant, id);
    await handle.result();
    await run.record('refused-estimate', handle.workflowId);
    expect(await rowOf(id)).toMatchObject({
      state: 'failed',
      error: { code: 'AuthRefused' },
      result: null,
    });
    await waitFor({
      what: 'the integration is told',
      read: async () => (await handleOf(run.client, tenant).fetchHistory()).events ?? [],
      until: (events) =>
        events.some(
          (event) => event.workflowExecutionSignaledEventAttributes?.signalName === 'credentialRefused',
        ),
    });
  }, integrationGoesOn(tenant));
});

/** As long as Temporal's clock is ahead of Postgres', its end seems to be over. */
const overAlready = () => ({
  limited: { until: new Date(Date.now() - 30_000).toISOString(), why: 'Bitbucket allowance' },
});

test('a limit that is met again although it seems over is asked about every five seconds at most', async () => {
  const tenant = await bench.tenant('active');
  await tenant.repositories(2);
  const id = await storeEstimate(tenant);
  await bench.run(async (run) => {
    run.bitbucket.estimate.push(overAlready(), overAlready(), { done: true });
    const handle = await start(run, tenant, id);
    const timersMs = await waitFor({
      what: 'it waits again',
      read: async () =>
        ((await handle.fetchHistory()).events ?? []).flatMap(({ timerStartedEventAttributes: timer }) =>
          timer ? [tsToMs(timer.startToFireTimeout)] : [],
        ),
      until: (timers) => timers.length === 2,
    });
    expect(timersMs[0]).toBe(1);
    expect(timersMs[1]).toBeGreaterThan(4_000);
    await handle.signal(messages.allowanceFreed);
    await handle.result();
    expect(await rowOf(id)).toMatchObject({ state: 'done' });
  });
});

test('over limit after limit it goes on with a history of its own', async () => {
  const tenant = await bench.tenant('active');
  await tenant.repositories(2);
  const id = await storeEstimate(tenant);
  await bench.run(async (run) => {
    run.bitbucket.estimate.push({ asked: 1, requests: 3 }, overAlready(), { done: true });
    const handle = await start(run, tenant, id, { historyLimit: 20 });
    await handle.result();
    expect((await handle.fetchHistory()).events?.length).toBeLessThan(30);
    expect((await handle.describe()).runId).not.toBe(handle.firstExecutionRunId);
    expect(await rowOf(id)).toMatchObject({ state: 'done' });
    expect(await sampleOf(id)).toHaveLength(2);
  });
});

test('cancelled by an operator it says so in its row; removed meanwhile it just ends', async () => {
  const tenant = await bench.tenant('active');
  await tenant.repositories(1);
  const [cancelled, removed] = [await storeEstimate(tenant), await storeEstimate(tenant)];
  await bench.run(async (run) => {
    const until = new Date(Date.now() + 60_000).toISOString();
    run.bitbucket.estimate.push({ limited: { until, why: 'Bitbucket allowance' } });
    const handle = await start(run, tenant, cancelled);
    await waitFor({
      what: 'the estimate waits',
      read: () => rowOf(cancelled),
      until: (row) => row?.['state'] === 'rate_limited',
    });
    await handle.cancel();
    await expect(handle.result()).rejects.toThrow('cancel');
    expect(await rowOf(cancelled)).toMatchObject({
      state: 'failed',
      error: { code: 'estimate_interrupted' },
      waiting_until: null,
    });
    await bench.sql`delete from import_estimates where id = ${removed}`;
    await (await start(run, tenant, removed)).result();
    expect(await rowOf(removed)).toBeUndefined();
  });
});
