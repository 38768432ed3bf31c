import { describe, expect, test } from 'vitest';
import { pollId, webhooksWorkflowId } from '../../workflows/ids.ts';
import type { keepWebhooks } from '../../workflows/keepWebhooks.ts';
import * as messages from '../../workflows/messages.ts';
import type { pollIntegration } from '../../workflows/pollIntegration.ts';
import type { Service } from '../../workflows/words.ts';
import type { WebhookTiming } from '../../workflows/timing.ts';
import { failureOf } from '../support/fakeBitbucket.ts';
import type { TestTenant } from '../support/integrationRows.ts';
import { waitFor } from '../support/waitFor.ts';
import { actor, command, integrationGoesOn, refusalOf, useWorkflowBench } from '../support/workflowBench.ts';
import type { WorkflowRun } from '../support/workflows.ts';

const bench = useWorkflowBench();

const upkeep = async ({ integrationId }: TestTenant) =>
  (await bench.sql`select * from webhook_upkeep where integration_id = ${integrationId}`)[0];
const until = (tenant: TestTenant, state: string) =>
  waitFor({
    what: `the upkeep of webhooks is ${state}`,
    read: () => upkeep(tenant),
    until: (row) => row?.['state'] === state,
  });
const chunks = (calls: readonly string[]) => calls.filter((call) => call.startsWith('keepWebhooksChunk'));
const untilChunks = (calls: readonly string[], count: number) =>
  waitFor({
    what: `${count} chunks were asked for`,
    read: () => Promise.resolve(chunks(calls).length),
    until: (length) => length === count,
  });
const inAnHour = () => new Date(Date.now() + 3_600_000).toISOString();

/** The run alone, as its integration starts it. */
async function begin(run: WorkflowRun, tenant: TestTenant, timing: Partial<WebhookTiming>) {
  const { organizationId, integrationId } = tenant;
  await bench.sql`insert into webhook_upkeep (organization_id, integration_id, wanted, command_id)
    values (${organizationId}, ${integrationId}, true, 'first')`;
  return run.client.workflow.start<typeof keepWebhooks>('keepWebhooks', {
    workflowId: webhooksWorkflowId(integrationId),
    taskQueue: run.taskQueue,
    args: [{ organizationId, integrationId, timing }],
  });
}

describe('the webhooks of an integration', () => {
  test('are registered by one command, rotated by another, and removed by a third; who did it is kept', async () => {
    const tenant = await bench.tenant('active');
    await bench.run(
      async (run) => {
        run.bitbucket.webhooks.push({ cursor: 'half', more: true });
        await command(run, tenant, messages.registerWebhooks, { rotate: false, actor });
        await until(tenant, 'done');
        expect(chunks(run.bitbucket.calls)).toEqual(['keepWebhooksChunk begins', 'keepWebhooksChunk half']);
        const first = await upkeep(tenant);
        expect(first).toMatchObject({ wanted: true, generation: 1, error: null });
        const nextMs = Number(first?.['next_round_at']) - Date.now();
        expect(nextMs).toBeGreaterThan(40 * 60_000);
        expect(nextMs).toBeLessThanOrEqual(50 * 60_000);
        await command(run, tenant, messages.registerWebhooks, { rotate: true, actor });
        await untilChunks(run.bitbucket.calls, 3);
        expect(await until(tenant, 'done')).toMatchObject({ generation: 2 });
        run.bitbucket.webhooks.push({ cursor: 'removing', more: true }, { off: true });
        await command(run, tenant, messages.removeWebhooks, { actor });
        const handle = run.client.workflow.getHandle(webhooksWorkflowId(tenant.integrationId));
        await handle.result();
        await run.record('webhooks', webhooksWorkflowId(tenant.integrationId));
        expect(await upkeep(tenant)).toMatchObject({ wanted: false, state: 'done', next_round_at: null });
        const audit = await bench.sql`select action, acting_user from audit_events
          where integration_id = ${tenant.integrationId} order by id`;
        expect(audit.map(({ action, acting_user }) => [action, acting_user] as unknown)).toEqual([
          ['webhooks_registered', 'anna'],
          ['webhook_secrets_rotated', 'anna'],
          ['webhooks_removed', 'anna'],
        ]);
        // None are left, and asked for again a new run begins.
        await command(run, tenant, messages.registerWebhooks, { rotate: false, actor });
        await until(tenant, 'done');
      },
      { unfinished: () => [`integration/${tenant.integrationId}`, webhooksWorkflowId(tenant.integrationId)] },
    );
  });

  test('are looked up at once when a service is switched on', async () => {
    const tenant = await bench.tenant('active');
    await bench.run(
      async (run) => {
        const services = (...those: Service[]) =>
          command(run, tenant, messages.changeServices, { services: those, actor });
        await services('repositories');
        await command(run, tenant, messages.registerWebhooks, { rotate: false, actor });
        await untilChunks(run.bitbucket.calls, 1);
        await until(tenant, 'done');
        await services('repositories', 'pull_requests');
        await untilChunks(run.bitbucket.calls, 2);
        await until(tenant, 'done');
        expect(chunks(run.bitbucket.calls)).toHaveLength(2);
        await run.record('service-wakes-webhooks', `integration/${tenant.integrationId}`);
      },
      { unfinished: () => [`integration/${tenant.integrationId}`, webhooksWorkflowId(tenant.integrationId)] },
    );
  });

  test('that are wanted again while it is stored that none are: the run goes on', async () => {
    const tenant = await bench.tenant('active');
    await bench.run(
      async (run) => {
        let end = (): void => {};
        run.bitbucket.webhooks.push(new Promise((resolve) => (end = () => resolve({ off: true }))));
        const handle = await begin(run, tenant, {});
        await untilChunks(run.bitbucket.calls, 1);
        const held = await bench.sql.reserve();
        await held`begin`;
        await held`select from webhook_upkeep where integration_id = ${tenant.integrationId} for update`;
        end();
        await waitFor({
          what: 'the end is being stored',
          read: async () => (await handle.describe()).raw.pendingActivities ?? [],
          until: ([storing]) => storing?.activityType?.name === 'setWebhookUpkeep',
        });
        await handle.signal(messages.webhooksCommanded);
        await held`commit`;
        held.release();
        await untilChunks(run.bitbucket.calls, 2);
        const sleeps = await waitFor({
          what: 'it sleeps until the next',
          read: () => upkeep(tenant),
          until: (row) => row?.['next_round_at'] != null,
        });
        expect(sleeps).toMatchObject({ state: 'done', error: null });
        await run.record('webhooks-wanted-again-at-the-end', webhooksWorkflowId(tenant.integrationId));
      },
      { unfinished: () => [webhooksWorkflowId(tenant.integrationId)] },
    );
  });

  test('a state that does not allow it refuses', async () => {
    const tenant = await bench.tenant('paused');
    await bench.run(async (run) => {
      const refused = await refusalOf(
        command(run, tenant, messages.registerWebhooks, { rotate: false, actor }),
      );
      expect(refused).toBe('paused');
      run.bitbucket.webhooks.push({ off: true });
      await command(run, tenant, messages.removeWebhooks, { actor });
      await until(tenant, 'done');
    }, integrationGoesOn(tenant));
  });

  test('a limit is waited for on a timer that says until when, and ends early when there is room', async () => {
    const tenant = await bench.tenant('active');
    await bench.run(
      async (run) => {
        const limited = { until: inAnHour(), why: 'Bitbucket allowance' };
        run.bitbucket.webhooks.push(
          { cursor: 'here', more: true, limited },
          failureOf('RateLimited', limited),
        );
        const handle = await begin(run, tenant, {});
        expect(await until(tenant, 'rate_limited')).toMatchObject({ waiting_reason: 'Bitbucket allowance' });
        await handle.signal(messages.allowanceFreed);
        await waitFor({
          what: 'the chunk was tried again',
          read: () => Promise.resolve(chunks(run.bitbucket.calls).at(-1)),
          until: (call) => call === 'keepWebhooksChunk here',
        });
        await until(tenant, 'rate_limited');
        await handle.signal(messages.allowanceFreed);
        expect(await until(tenant, 'done')).toMatchObject({ waiting_until: null });
        await run.record('rate-limited-webhooks', webhooksWorkflowId(tenant.integrationId));
      },
      { unfinished: () => [webhooksWorkflowId(tenant.integrationId)] },
    );
  });

  test('a command ends a wait, once: what it wants may meet the same limit', async () => {
    const tenant = await bench.tenant('active');
    await bench.run(
      async (run) => {
        const limited = { until: inAnHour(), why: 'Bitbucket allowance' };
        run.bitbucket.webhooks.push(
          { cursor: 'here', more: true, limited },
          { cursor: 'there', more: true, limited },
        );
        const handle = await begin(run, tenant, {});
        await until(tenant, 'rate_limited');
        await handle.signal(messages.webhooksCommanded);
        await untilChunks(run.bitbucket.calls, 2);
        await until(tenant, 'rate_limited');
        await handle.signal(messages.allowanceFreed);
        await untilChunks(run.bitbucket.calls, 4);
        await until(tenant, 'done');
        expect(chunks(run.bitbucket.calls)).toEqual(
          ['begins', 'here', 'there', 'begins'].map((place) => `keepWebhooksChunk ${place}`),
        );
        await run.record('webhooks-commanded-while-waiting', webhooksWorkflowId(tenant.integrationId));
      },
      { unfinished: () => [webhooksWorkflowId(tenant.integrationId)] },
    );
  });

  test('a round that cannot be done says why, and the next one tries again from the start', async () => {
    const tenant = await bench.tenant('active');
    await bench.run(
      async (run) => {
        run.bitbucket.webhooks.push({ cursor: 'half', more: true }, failureOf('AuthRefused'));
        const everyMs = 2_000;
        await begin(run, tenant, { everyMs });
        expect(await until(tenant, 'failed')).toMatchObject({
          error: { code: 'AuthRefused' },
          last_round_at: null,
        });
        expect(await until(tenant, 'done')).toMatchObject({ error: null });
        expect(chunks(run.bitbucket.calls).slice(0, 3)).toEqual([
          'keepWebhooksChunk begins',
          'keepWebhooksChunk half',
          'keepWebhooksChunk begins',
        ]);
        await run.record('refused-webhooks', webhooksWorkflowId(tenant.integrationId));
      },
      { unfinished: () => [webhooksWorkflowId(tenant.integrationId)] },
    );
  });

  test('a round of an integration that does not work is none that looked, and says so', async () => {
    const tenant = await bench.tenant('active');
    await bench.run(
      async (run) => {
        run.bitbucket.webhooks.push({ steps: 0, resting: 'paused' });
        const handle = await begin(run, tenant, { everyMs: 60_000 });
        expect(await until(tenant, 'done')).toMatchObject({ last_round_at: null, error: null });
        const timer = await waitFor({
          what: 'it sleeps until the next round',
          read: async () =>
            (await handle.fetchHistory()).events?.find((event) => event.timerStartedEventAttributes),
          until: (event) => event !== undefined,
        });
        const summary = JSON.parse(Buffer.from(timer!.userMetadata!.summary!.data!).toString()) as string;
        expect(summary).toMatch(/^not looked up: the integration is paused; again .*UTC$/);
        await handle.signal(messages.webhooksCommanded);
        await waitFor({
          what: 'a round has looked',
          read: () => upkeep(tenant),
          until: (row) => row?.['last_round_at'] != null,
        });
      },
      { unfinished: () => [webhooksWorkflowId(tenant.integrationId)] },
    );
  });

  test('a long history continues as new in the middle of a round', async () => {
    const tenant = await bench.tenant('active');
    await bench.run(async (run) => {
      for (let step = 1; step <= 9; step += 1) run.bitbucket.webhooks.push({ cursor: `${step}`, more: true });
      run.bitbucket.webhooks.push({ off: true });
      const handle = await begin(run, tenant, { historyLimit: 20 });
      await handle.result();
      expect(chunks(run.bitbucket.calls)).toEqual(
        ['begins', ...Array.from({ length: 9 }, (_, index) => `${index + 1}`)].map(
          (place) => `keepWebhooksChunk ${place}`,
        ),
      );
      const { runId } = await run.client.workflow
        .getHandle(webhooksWorkflowId(tenant.integrationId))
        .describe();
      expect(runId).not.toBe(handle.firstExecutionRunId);
    });
  });
});

test('a run that an operator ended begins again with a poll round, once nobody has said a word of it for hours', async () => {
  await bench.run(async (run) => {
    const tenant = await bench.tenant('active');
    const { organizationId, integrationId } = tenant;
    const handle = await begin(run, tenant, {});
    await until(tenant, 'done');
    await handle.terminate('by an operator');
    const poll = async () => {
      const workflowId = pollId(integrationId);
      await run.client.workflow.execute<typeof pollIntegration>('pollIntegration', {
        workflowId,
        taskQueue: run.taskQueue,
        args: [{ organizationId, integrationId }],
      });
      return workflowId;
    };
    await poll();
    expect((await handle.describe()).status.name).toBe('TERMINATED');
    await bench.sql`update webhook_upkeep set updated_at = now() - interval '4 hours',
      next_round_at = now() - interval '3.1 hours' where integration_id = ${integrationId}`;
    const workflowId = await poll();
    await untilChunks(run.bitbucket.calls, 2);
    await until(tenant, 'done');
    await run.record('poll-keeps-webhooks', workflowId);
    await run.client.workflow.getHandle(webhooksWorkflowId(integrationId)).terminate('the test is over');
  });
});
