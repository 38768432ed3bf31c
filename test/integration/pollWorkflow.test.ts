import { ApplicationFailure } from '@temporalio/common';
import { expect, test } from 'vitest';
import { CREDENTIAL_HELD, POLL_STOPPED } from '../../workflows/findings.ts';
import { pollId, syncAllWorkflowId } from '../../workflows/ids.ts';
import type { pollIntegration } from '../../workflows/pollIntegration.ts';
import { callsOf } from '../support/bitbucketCalls.ts';
import { failureOf } from '../support/fakeBitbucket.ts';
import type { TestTenant } from '../support/integrationRows.ts';
import { importedRepository, syncsOf } from '../support/syncBench.ts';
import { waitFor } from '../support/waitFor.ts';
import { actor, type BenchRun, command, handleOf, useWorkflowBench } from '../support/workflowBench.ts';
import * as messages from '../../workflows/messages.ts';

/** `pollIntegration`: a round at a time, as often as the allowance bears. What a round asks is tested in `sync.test.ts`. */
const bench = useWorkflowBench();

const poll = async (run: BenchRun, { organizationId, integrationId }: TestTenant, everything = false) => {
  const workflowId = everything ? syncAllWorkflowId(integrationId) : pollId(integrationId);
  const handle = await run.client.workflow.start<typeof pollIntegration>('pollIntegration', {
    workflowId,
    taskQueue: run.taskQueue,
    args: [{ organizationId, integrationId, ...(everything ? { everything } : {}) }],
  });
  await handle.result();
  return workflowId;
};

const pollRow = async ({ integrationId }: TestTenant) =>
  (await bench.sql`select * from integration_polls where integration_id = ${integrationId}`)[0];

const chunksOf = (run: BenchRun): number => callsOf(run, 'pollChunk').length;

test('a round goes on from chunk to chunk, waits for the allowance, and says how it went', async () => {
  await bench.run(async (run) => {
    const tenant = await bench.tenant('active');
    await importedRepository(bench, tenant);
    const limited = { until: new Date(Date.now() + 1_000).toISOString(), why: 'Bitbucket allowance' };
    run.bitbucket.polls.push({ place: 'second' }, { place: 'third', limited }, { place: null });
    const workflowId = await poll(run, tenant);
    expect(chunksOf(run)).toBe(3);
    expect(await pollRow(tenant)).toMatchObject({ requests: 9, found: 3, last_error: null });
    await run.record('poll', workflowId);
  });
});

test('where the allowance is too small for a round, the next one waits its turn', async () => {
  await bench.run(async (run) => {
    const tenant = await bench.tenant('active');
    await importedRepository(bench, tenant);
    await bench.sql`insert into integration_polls (organization_id, integration_id, last_started_at,
        effective_interval_ms)
      values (${tenant.organizationId}, ${tenant.integrationId}, now() - interval '20 minutes', 3600000)`;
    await poll(run, tenant);
    expect(chunksOf(run)).toBe(0);
    await bench.sql`update integration_polls set last_started_at = now() - interval '60 minutes'
      where integration_id = ${tenant.integrationId}`;
    await poll(run, tenant);
    expect(chunksOf(run)).toBe(1);
  });
});

test('a round whose begin was stored while its answer was lost takes place, and began once', async () => {
  await bench.run(async (run) => {
    const tenant = await bench.tenant('active');
    await importedRepository(bench, tenant);
    await bench.sql`insert into integration_polls (organization_id, integration_id, last_started_at,
        effective_interval_ms)
      values (${tenant.organizationId}, ${tenant.integrationId}, now() - interval '2 hours', 3600000)`;
    let begun: Record<string, unknown> | undefined;
    bench.meanwhile('beginPoll', {
      behind: async () => {
        begun = await pollRow(tenant);
        throw new Error('The answer is lost.');
      },
    });
    await poll(run, tenant);
    expect(chunksOf(run)).toBe(1);
    const { last_started_at, last_place } = (await pollRow(tenant)) ?? {};
    expect({ last_started_at, last_place }).toEqual({
      last_started_at: begun?.['last_started_at'],
      last_place: begun?.['last_place'],
    });
  });
});

test('nothing is asked of an integration that is paused, or has nothing to keep current', async () => {
  await bench.run(async (run) => {
    const paused = await bench.tenant('paused');
    await importedRepository(bench, paused);
    const empty = await bench.tenant('active');
    await empty.repositories(2);
    await poll(run, paused);
    await poll(run, empty);
    expect(run.bitbucket.calls).toEqual([]);
    expect(await pollRow(paused)).toBeUndefined();
  });
});

test('a round that fails says why, and tells the integration of a refused credential', async () => {
  await bench.run(async (run) => {
    const tenant = await bench.tenant('active');
    await importedRepository(bench, tenant);
    run.bitbucket.polls.push(failureOf('AuthRefused'));
    run.bitbucket.probes.push(true);
    await command(run, tenant, messages.rename, { name: 'Acme', actor });
    await poll(run, tenant);
    expect(await pollRow(tenant)).toMatchObject({
      last_error: { code: 'AuthRefused' },
      last_finished_at: null,
    });
    await waitFor({
      what: 'the integration was told',
      read: async () => (await handleOf(run.client, tenant).fetchHistory()).events ?? [],
      until: (events) =>
        events.some(
          (event) => event.workflowExecutionSignaledEventAttributes?.signalName === 'credentialRefused',
        ),
    });
    await handleOf(run.client, tenant).terminate('the test is over');
  });
});

test('a pause behind the last request of a round leaves it whole; one before says that it is not', async () => {
  await bench.run(async (run) => {
    const tenant = await bench.tenant('active');
    await importedRepository(bench, tenant);
    const become = (state: string) =>
      bench.sql`update integrations set state = ${state} where id = ${tenant.integrationId}`;
    bench.meanwhile('finishPoll', { before: () => become('paused') });
    await poll(run, tenant);
    const whole = await pollRow(tenant);
    expect(whole).toMatchObject({ last_error: null, last_finished_at: expect.any(Date) });
    await become('active');
    run.bitbucket.polls.push(
      { place: 'second' },
      { place: null, requests: 0, found: 0, stopped: POLL_STOPPED },
    );
    await poll(run, tenant);
    const { last_finished_at } = whole ?? {};
    expect(await pollRow(tenant)).toMatchObject({ last_error: { code: 'poll_stopped' }, last_finished_at });
  });
});

test('a round that breaks off and a sync of everything that fails leave known what a round takes of the allowance', async () => {
  await bench.run(async (run) => {
    const tenant = await bench.tenant('active');
    await importedRepository(bench, tenant);
    run.bitbucket.polls.push({ place: 'second' }, { place: null });
    await poll(run, tenant);
    const whole = { requests: 6, found: 2 };
    expect(await pollRow(tenant)).toMatchObject({ ...whole, last_error: null });
    bench.meanwhile('syncEach', {
      before: () => {
        throw ApplicationFailure.nonRetryable('It cannot be done.', 'Refused');
      },
    });
    await poll(run, tenant, true);
    expect(await pollRow(tenant)).toMatchObject({ ...whole, last_error: { code: expect.any(String) } });
    run.bitbucket.polls.push({ place: 'second' }, failureOf('BadRequest'));
    await poll(run, tenant);
    expect(await pollRow(tenant)).toMatchObject({
      requests: 6,
      found: 1,
      last_error: { code: 'BadRequest' },
    });
    // One that asks less, and all that it asks, takes less.
    run.bitbucket.polls.push({ place: null });
    await poll(run, tenant);
    expect(await pollRow(tenant)).toMatchObject({ requests: 3, found: 1, last_error: null });
  });
});

test('a round that was held back over earlier refusals says so, and is no other refusal', async () => {
  await bench.run(async (run) => {
    const tenant = await bench.tenant('active');
    await importedRepository(bench, tenant);
    const held = { code: CREDENTIAL_HELD, message: 'Held back.', remedy: 'Wait.' };
    run.bitbucket.polls.push(
      ApplicationFailure.create({ type: 'AuthRefused', nonRetryable: true, details: [held] }),
    );
    await command(run, tenant, messages.rename, { name: 'Acme', actor });
    const workflowId = await poll(run, tenant);
    expect(await pollRow(tenant)).toMatchObject({ last_error: { code: CREDENTIAL_HELD } });
    const { events } = await run.client.workflow.getHandle(workflowId).fetchHistory();
    const told = (events ?? []).filter(
      (event) => event.signalExternalWorkflowExecutionInitiatedEventAttributes != null,
    );
    expect(told).toEqual([]);
    await handleOf(run.client, tenant).terminate('the test is over');
  });
});

test('a person wants all: each repository is told, and none of another integration', async () => {
  await bench.run(async (run) => {
    const tenant = await bench.tenant('active');
    const id = await importedRepository(bench, tenant);
    const other = await bench.tenant('active');
    const foreign = await importedRepository(bench, other);
    const workflowId = await poll(run, tenant, true);
    const { events } = await run.client.workflow.getHandle(workflowId).fetchHistory();
    const [telling] = (events ?? []).flatMap((event) => event.activityTaskScheduledEventAttributes ?? []);
    // Some hundred signals, one after the other, take longer than a short transaction; a lost worker is noticed all the same.
    expect(telling).toMatchObject({ activityType: { name: 'syncEach' } });
    expect(Number(telling?.startToCloseTimeout?.seconds)).toBeGreaterThanOrEqual(300);
    expect(Number(telling?.heartbeatTimeout?.seconds)).toBe(10);
    await waitFor({
      what: 'the repository is up to date',
      read: () => syncsOf(bench.sql, id),
      until: ([sync]) => sync?.outcome === 'completed',
    });
    expect(await syncsOf(bench.sql, foreign)).toEqual([]);
  });
});
