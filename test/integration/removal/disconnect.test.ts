import { describe, expect, test } from 'vitest';
import {
  disconnectWorkflowId,
  importRepositoryWorkflowId,
  importWorkflowId,
  integrationWorkflowId,
} from '../../../workflows/ids.ts';
import * as messages from '../../../workflows/messages.ts';
import { failureOf, type Step } from '../../support/fakeBitbucket.ts';
import { fillRepository, rowsLeft } from '../../support/importedRows.ts';
import { untilRepository } from '../../support/importBench.ts';
import type { TestTenant } from '../../support/integrationRows.ts';
import { waitFor } from '../../support/waitFor.ts';
import { actor, type BenchRun, command, refusalOf, useWorkflowBench } from '../../support/workflowBench.ts';

const bench = useWorkflowBench();

const nameOf = async (tenant: TestTenant): Promise<string> => String((await tenant.integration())?.['name']);

const disconnect = async (run: BenchRun, tenant: TestTenant) =>
  command(run, tenant, messages.disconnect, { confirm: await nameOf(tenant), actor });

const untilGone = (tenant: TestTenant, timeoutMs = 20_000) =>
  waitFor({
    what: 'the integration is gone',
    read: () => tenant.integration(),
    until: (row) => row === undefined,
    timeoutMs,
  });

const anHour = () => ({
  limited: { until: new Date(Date.now() + 3_600_000).toISOString(), why: 'Bitbucket allowance' },
});

/** In what the import is when the integration is deleted. */
const MOMENTS: Record<
  string,
  { git?: Step[]; chunks?: Step[]; state: string; command?: typeof messages.pause }
> = {
  'git is read': { git: ['hang'], state: 'running' },
  'a chunk is read': { chunks: [{}, 'hang'], state: 'running' },
  'it waits for the allowance': { chunks: [anHour()], state: 'rate_limited' },
  'it waits for a credential': { chunks: [failureOf('AuthRefused')], state: 'needs_credential' },
  'the integration is paused': { chunks: ['hang'], state: 'paused', command: messages.pause },
};

describe('an integration is deleted in the middle of an import', () => {
  test.each(Object.entries(MOMENTS))('while %s: no row, no secret, no run is left', async (_, moment) => {
    await bench.run(async (run) => {
      const tenant = await bench.tenant('active');
      const { organizationId } = tenant;
      await tenant.credential();
      await tenant.oauthFlow();
      const [id] = await tenant.repositories(2);
      if (moment.git !== undefined) run.bitbucket.git.set(id!, moment.git);
      if (moment.chunks !== undefined) run.bitbucket.chunks.set(id!, [...moment.chunks]);
      const importId = await tenant.storeImport({ all: true });
      await command(run, tenant, messages.startImport, { importId, mode: 'changed', actor });
      if (moment.command !== undefined) {
        await untilRepository(tenant, importId, id!, 'running', 10_000);
        await command(run, tenant, moment.command, { actor });
      }
      await untilRepository(tenant, importId, id!, moment.state, 10_000);
      await fillRepository(bench.sql, { organizationId, repositoryId: id! });

      expect(await disconnect(run, tenant)).toMatchObject({ state: 'disconnecting' });
      await untilGone(tenant);
      expect(await rowsLeft(bench.sql, organizationId)).toEqual({});
      expect(run.bitbucket.calls).toContain('removeWebhooks all');
      for (const workflowId of [
        integrationWorkflowId(tenant.integrationId),
        importWorkflowId(importId),
        importRepositoryWorkflowId(id!),
        disconnectWorkflowId(tenant.integrationId),
      ]) {
        await waitFor({
          what: `${workflowId} has ended by itself`,
          read: async () => (await run.client.workflow.getHandle(workflowId).describe()).status.name,
          until: (status) => status === 'COMPLETED' || status === 'CANCELLED',
        });
      }
      const actions = await bench.sql`
        select action, acting_user as who from audit_events where organization_id = ${organizationId} order by id`;
      expect(actions).toEqual(
        expect.arrayContaining([
          { action: 'integration_removal_requested', who: 'anna' },
          { action: 'integration_deleted', who: 'anna' },
        ]),
      );
      await run.record('disconnected-integration', disconnectWorkflowId(tenant.integrationId));
    });
  });
});

test('the name must be right; asked for twice it is one removal; then the name is free', async () => {
  await bench.run(async (run) => {
    const tenant = await bench.tenant('active');
    const name = await nameOf(tenant);
    const wrong = command(run, tenant, messages.disconnect, { confirm: `${name} `, actor });
    expect(await refusalOf(wrong)).toBe('confirm_mismatch');
    expect((await tenant.integration())?.['state']).toBe('active');
    const both = [disconnect(run, tenant), disconnect(run, tenant)];
    expect((await Promise.all(both)).map(({ state }) => state)).toEqual(['disconnecting', 'disconnecting']);
    await untilGone(tenant);
    await bench.sql`insert into integrations (id, organization_id, state, name)
      values (gen_random_uuid(), ${tenant.organizationId}, 'active', ${name})`;
    const requests = await bench.sql`select from audit_events
      where organization_id = ${tenant.organizationId} and action = 'integration_removal_requested'`;
    expect(requests).toHaveLength(1);
  });
});

test('webhooks that cannot be removed yet are waited for on a timer, and asked for again', async () => {
  await bench.run(async (run) => {
    const tenant = await bench.tenant('active');
    run.bitbucket.removals.push({ left: 1, ...anHour() });
    await disconnect(run, tenant);
    const removal = run.client.workflow.getHandle(disconnectWorkflowId(tenant.integrationId));
    await waitFor({
      what: 'the removal waits',
      read: async () => (await removal.fetchHistory()).events?.at(-1)?.timerStartedEventAttributes,
      until: (timer) => timer != null,
    });
    expect((await tenant.integration())?.['state']).toBe('disconnecting');
    await removal.signal(messages.allowanceFreed);
    await untilGone(tenant);
    expect(run.bitbucket.calls.filter((call) => call === 'removeWebhooks all')).toHaveLength(2);
  });
});
