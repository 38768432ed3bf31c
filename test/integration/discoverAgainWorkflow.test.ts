import { WorkflowFailedError } from '@temporalio/client';
import { expect, test } from 'vitest';
import { discoveryWorkflowId, pollId } from '../../workflows/ids.ts';
import * as messages from '../../workflows/messages.ts';
import type { pollIntegration } from '../../workflows/pollIntegration.ts';
import type { TestTenant } from '../support/integrationRows.ts';
import { hint, importedRepository, syncRun, syncsOf } from '../support/syncBench.ts';
import { waitFor } from '../support/waitFor.ts';
import {
  actor,
  type BenchRun,
  command,
  handleOf,
  refusalOf,
  useWorkflowBench,
} from '../support/workflowBench.ts';

/** Discoveries that come by themselves, and what follows from what they miss. */
const bench = useWorkflowBench({ discoveryIntervalMs: 6 * 3_600_000 });

const poll = async (run: BenchRun, { organizationId, integrationId }: TestTenant): Promise<string> => {
  const workflowId = pollId(integrationId);
  const handle = await run.client.workflow.start<typeof pollIntegration>('pollIntegration', {
    workflowId,
    taskQueue: run.taskQueue,
    args: [{ organizationId, integrationId }],
  });
  await handle.result();
  return workflowId;
};

const discoveriesOf = (run: BenchRun): number =>
  run.bitbucket.calls.filter((call) => call === 'discoverChunk null').length;

/** When the last discovery began, how it ended, and since when something is missing. */
const lastDiscovery = (
  { integrationId }: TestTenant,
  { ago, state = 'done', missedAgo = null }: { ago: string; state?: string; missedAgo?: string | null },
) =>
  Promise.all([
    bench.sql`update integrations set discovery_state = ${state}, discovery_started_at = now() - ${ago}::interval
      where id = ${integrationId}`,
    bench.sql`update integration_repositories set missing_since = now() - ${missedAgo}::interval
      where integration_id = ${integrationId}`,
  ]);

test('a poll round begins a discovery every six hours, also where nothing is imported yet', async () => {
  await bench.run(async (run) => {
    const tenant = await bench.tenant('active');
    await lastDiscovery(tenant, { ago: '5 hours' });
    await poll(run, tenant);
    expect(discoveriesOf(run)).toBe(0);
    await lastDiscovery(tenant, { ago: '6 hours' });
    const workflowId = await poll(run, tenant);
    await run.client.workflow.getHandle(discoveryWorkflowId(tenant.integrationId)).result();
    expect(discoveriesOf(run)).toBe(1);
    await run.record('poll-discovers', workflowId);
  });
});

test('what was missed is looked for again after an hour; a failed discovery is tried again after as long', async () => {
  await bench.run(async (run) => {
    const tenant = await bench.tenant('active');
    await tenant.repositories(1);
    const due = async (last: Parameters<typeof lastDiscovery>[1]): Promise<boolean> => {
      const before = discoveriesOf(run);
      await lastDiscovery(tenant, last);
      await poll(run, tenant);
      const handle = run.client.workflow.getHandle(discoveryWorkflowId(tenant.integrationId));
      await handle.result().catch(() => undefined);
      return discoveriesOf(run) > before;
    };
    expect(await due({ ago: '2 hours', missedAgo: '59 minutes' })).toBe(false);
    expect(await due({ ago: '2 hours', missedAgo: '61 minutes' })).toBe(true);
    // Missed before the last one already: it could have agreed, and did not.
    expect(await due({ ago: '2 hours', missedAgo: '3 hours' })).toBe(false);
    expect(await due({ ago: '59 minutes', state: 'failed' })).toBe(false);
    expect(await due({ ago: '61 minutes', state: 'failed' })).toBe(true);
  });
});

test('an integration that is paused, or needs a credential, is asked nothing', async () => {
  await bench.run(async (run) => {
    for (const state of ['paused', 'needs_credential'] as const) {
      const tenant = await bench.tenant(state);
      await importedRepository(bench, tenant);
      await lastDiscovery(tenant, { ago: '1 day', missedAgo: '1 hour' });
      await poll(run, tenant);
    }
    expect(run.bitbucket.calls).toEqual([]);
  });
});

test('a discovery that runs already is joined', async () => {
  await bench.run(async (run) => {
    const tenant = await bench.tenant('active');
    run.bitbucket.discovery.push('hang');
    await lastDiscovery(tenant, { ago: '6 hours' });
    await poll(run, tenant);
    const discovery = run.client.workflow.getHandle(discoveryWorkflowId(tenant.integrationId));
    await waitFor({ what: 'it reads', read: async () => discoveriesOf(run), until: (count) => count === 1 });
    await poll(run, tenant);
    expect(discoveriesOf(run)).toBe(1);
    await discovery.cancel();
    await expect(discovery.result()).rejects.toBeInstanceOf(WorkflowFailedError);
  });
});

test('what is gone is neither polled nor synced, and is again once it was seen', async () => {
  await bench.run(async (run) => {
    const tenant = await bench.tenant('active');
    const id = await importedRepository(bench, tenant);
    await lastDiscovery(tenant, { ago: '1 minute' });
    const setPresence = (presence: string) =>
      bench.sql`update integration_repositories set presence = ${presence} where repository_id = ${id}`;
    await setPresence('gone');
    await poll(run, tenant);
    await hint(run, tenant, id);
    await syncRun(run, id).result();
    expect([run.bitbucket.calls, await syncsOf(bench.sql, id)]).toEqual([[], []]);
    await setPresence('present');
    await hint(run, tenant, id);
    await syncRun(run, id).result();
    expect(await syncsOf(bench.sql, id)).toMatchObject([{ outcome: 'completed' }]);
  });
});

test('an import takes up nothing that is gone', async () => {
  await bench.run(async (run) => {
    const tenant = await bench.tenant('active');
    const [gone = '', there = ''] = await tenant.repositories(2);
    await bench.sql`update integration_repositories set presence = 'gone' where repository_id = ${gone}`;
    const importId = await tenant.storeImport({ all: true });
    await command(run, tenant, messages.startImport, { importId, mode: 'changed', actor });
    await waitFor({
      what: 'the import has ended',
      read: () => tenant.importRow(importId),
      until: (row) => row?.['finished_at'] !== null,
    });
    expect((await tenant.repositoryRows(importId)).map((row) => row.id)).toEqual([there]);
    await handleOf(run.client, tenant).terminate('the test is over');
  });
});

test('what vanished is settled once, in every state of a created integration', async () => {
  await bench.run(async (run) => {
    const tenant = await bench.tenant('paused');
    await tenant.repositories(3);
    const { integrationId } = tenant;
    const ask = () =>
      bench.sql`update integration_repositories set missing_since = now(), asked_at = now(), presence = 'present'
        where integration_id = ${integrationId}`;
    const settle = (decision: 'gone' | 'keep') =>
      command(run, tenant, messages.settleVanished, { decision, actor });
    const count = async (presence: string) =>
      (
        await bench.sql`select from integration_repositories
          where integration_id = ${integrationId} and presence = ${presence} and asked_at is null`
      ).length;
    await ask();
    for (const _ of ['once', 'again']) await settle('keep');
    expect(await count('present')).toBe(3);
    await ask();
    for (const _ of ['once', 'again']) await settle('gone');
    expect(await count('gone')).toBe(3);
    const told = await bench.sql`select action, acting_user, details from audit_events
      where integration_id = ${integrationId} order by id`;
    expect(told).toMatchObject([
      { action: 'vanished_kept', acting_user: 'anna', details: { repositories: 3 } },
      { action: 'vanished_confirmed', acting_user: 'anna', details: { repositories: 3 } },
    ]);
    await handleOf(run.client, tenant).terminate('the test is over');
    const draft = await bench.tenant('connected');
    expect(await refusalOf(command(run, draft, messages.settleVanished, { decision: 'gone', actor }))).toBe(
      'needs_create',
    );
    await handleOf(run.client, draft).terminate('the test is over');
  });
});
