import { describe, expect, test } from 'vitest';
import * as messages from '../../workflows/messages.ts';
import { callsOf } from '../support/bitbucketCalls.ts';
import { refusal } from '../support/fakeBitbucket.ts';
import { waitFor } from '../support/waitFor.ts';
import {
  actor,
  command,
  handleOf,
  integrationGoesOn,
  refusalOf,
  useWorkflowBench,
} from '../support/workflowBench.ts';
import type { TestTenant } from '../support/integrationRows.ts';

const bench = useWorkflowBench();

const until = (tenant: TestTenant, state: string) =>
  waitFor({
    what: `the integration is ${state}`,
    read: () => tenant.integration(),
    until: (row) => row?.['state'] === state,
  });

describe('the integration', () => {
  test('goes from a credential over the check to created, and discovers what it sees', async () => {
    const tenant = await bench.tenant();
    await bench.run(async (run) => {
      expect(
        await refusalOf(command(run, tenant, messages.create, { name: 'A', services: null, actor })),
      ).toBe('needs_connection');
      const check = await tenant.credential();
      const answer = await command(run, tenant, messages.submitCredential, { ...check, actor });
      expect(answer).toEqual({ state: 'checking', version: 2, checkId: check.checkId });
      await until(tenant, 'connected');
      expect(
        await refusalOf(
          command(run, tenant, messages.startImport, { importId: check.checkId, mode: 'changed', actor }),
        ),
      ).toBe('import_needs_create');
      const created = await command(run, tenant, messages.create, { name: 'Acme', services: null, actor });
      expect(created).toMatchObject({ state: 'active', name: 'Acme' });
      expect(created.services).toHaveLength(3);
      await run.record('happy-integration', `integration/${tenant.integrationId}`);
      await run.record('happy-check', `connection-check/${check.checkId}`);
      await run.record('happy-discovery', `integration/${tenant.integrationId}/discovery`);
      const again = await command(run, tenant, messages.create, { name: 'Acme', services: null, actor });
      expect(again).toEqual(created);
      expect(
        await refusalOf(command(run, tenant, messages.create, { name: 'Other', services: null, actor })),
      ).toBe('already_created');
      await waitFor({
        what: 'discovery is done',
        read: () => tenant.integration(),
        until: (row) => row?.['discovery_state'] === 'done',
      });
      expect(await tenant.integration()).toMatchObject({
        state: 'active',
        name: 'Acme',
        draft_expires_at: null,
        credential_id: check.credentialId,
        connected_account: { name: 'Service account' },
      });
      const audit = await bench.sql`select action, acting_user from audit_events
          where integration_id = ${tenant.integrationId} order by id`;
      expect(audit.map(({ action }) => action as string)).toEqual([
        'credential_submitted',
        'integration_created',
      ]);
    }, integrationGoesOn(tenant));
  });

  test('goes back to awaiting_credential with the reason when the check fails, and takes the next one', async () => {
    const tenant = await bench.tenant();
    await bench.run(async (run) => {
      const bad = await tenant.credential();
      run.bitbucket.refused.set(bad.credentialId, refusal);
      await command(run, tenant, messages.submitCredential, { ...bad, actor });
      await until(tenant, 'awaiting_credential');
      expect(await tenant.integration()).toMatchObject({ reason: { code: 'invalid_credentials' } });
      await run.record('check-failed', `integration/${tenant.integrationId}`);
      const good = await tenant.credential();
      await command(run, tenant, messages.submitCredential, { ...good, actor });
      await until(tenant, 'connected');
      expect(await tenant.integration()).toMatchObject({ reason: null, credential_id: good.credentialId });
      expect(await tenant.credentialStates()).toMatchObject([
        { id: bad.credentialId, state: 'shredded', sealed: null },
        { id: good.credentialId, state: 'active' },
      ]);
      const again = await command(run, tenant, messages.submitCredential, { ...good, actor });
      expect(again).toMatchObject({ state: 'connected', checkId: good.checkId });
      expect(callsOf(run, 'checkConnection')).toHaveLength(2);
    }, integrationGoesOn(tenant));
  });

  test('a mistyped token never stops a running integration; a good one replaces the old', async () => {
    const tenant = await bench.tenant('active');
    await bench.run(async (run) => {
      const first = await tenant.credential();
      await command(run, tenant, messages.submitCredential, { ...first, actor });
      await waitFor({
        what: 'the first credential signs',
        read: () => tenant.integration(),
        until: (row) => row?.['credential_id'] === first.credentialId,
      });
      const bad = await tenant.credential();
      run.bitbucket.refused.set(bad.credentialId, refusal);
      await command(run, tenant, messages.submitCredential, { ...bad, actor });
      const second = await tenant.credential();
      await command(run, tenant, messages.submitCredential, { ...second, actor });
      await waitFor({
        what: 'the second credential signs',
        read: () => tenant.integration(),
        until: (row) => row?.['credential_id'] === second.credentialId,
      });
      expect(await tenant.integration()).toMatchObject({ state: 'active', reason: null });
      expect((await tenant.credentialStates()).map(({ state }) => state)).toEqual([
        'shredded',
        'shredded',
        'active',
      ]);
    }, integrationGoesOn(tenant));
  });

  test('OAuth: the code is exchanged once, and what it gave is checked and adopted', async () => {
    const tenant = await bench.tenant();
    await bench.run(async (run) => {
      const flow = await tenant.oauthFlow();
      await Promise.all([
        command(run, tenant, messages.completeOauth, { ...flow, actor }),
        command(run, tenant, messages.completeOauth, { ...flow, actor }),
      ]);
      await until(tenant, 'connected');
      expect(callsOf(run, 'exchange')).toHaveLength(1);
      expect((await tenant.credentialStates()).map(({ state }) => state)).toEqual(['active']);
    }, integrationGoesOn(tenant));
  });

  test('a draft is deleted at any time, with its secrets, and stays deleted', async () => {
    const tenant = await bench.tenant();
    await bench.run(async (run) => {
      const check = await tenant.credential();
      run.bitbucket.hanging.add(check.credentialId);
      await command(run, tenant, messages.submitCredential, { ...check, actor });
      expect(await command(run, tenant, messages.deleteDraft, { actor })).toEqual({ deleted: true });
      await handleOf(run.client, tenant).result();
      expect(await tenant.integration()).toBeUndefined();
      expect(await tenant.credentialStates()).toEqual([]);
      // A command that comes late cannot raise it again: the run is closed, and its id is not used twice.
      await expect(command(run, tenant, messages.rename, { name: 'B', actor })).rejects.toThrow(
        /already|completed|ALREADY/i,
      );
    });
  });

  test('an untouched draft expires; a touched one waits on', async () => {
    const tenant = await bench.tenant('awaiting_credential', 1_500);
    await bench.run(async (run) => {
      const check = await tenant.credential();
      run.bitbucket.refused.set(check.credentialId, refusal);
      await command(run, tenant, messages.submitCredential, { ...check, actor }, { draftMs: 3_000 });
      const touched = await tenant.integration();
      await handleOf(run.client, tenant).result();
      await run.record('draft-expired', `integration/${tenant.integrationId}`);
      expect(Date.now()).toBeGreaterThan(Date.parse(String(touched!['draft_expires_at'])) - 50);
      expect(await tenant.integration()).toBeUndefined();
    });
  });

  test('a lost run begins again with the next command, and mends what it had in hand', async () => {
    const tenant = await bench.tenant();
    await bench.run(async (run) => {
      const check = await tenant.credential();
      run.bitbucket.hanging.add(check.credentialId);
      await command(run, tenant, messages.submitCredential, { ...check, actor });
      await waitFor({
        what: 'the check runs',
        read: () => run.bitbucket.calls,
        until: (calls) => calls.includes(`checkConnection ${check.credentialId}`),
      });
      await handleOf(run.client, tenant).terminate('by the test');
      await run.client.workflow.getHandle(`connection-check/${check.checkId}`).cancel();
      const next = await tenant.credential();
      await command(run, tenant, messages.submitCredential, { ...next, actor });
      await until(tenant, 'connected');
      expect(await tenant.integration()).toMatchObject({ credential_id: next.credentialId });
    }, integrationGoesOn(tenant));
  });

  test('two names at once: one gets it, the other is told', async () => {
    const one = await bench.tenant('active');
    await bench.run(async (run) => {
      await bench.sql`insert into integrations (id, organization_id, name)
          values (gen_random_uuid(), ${one.organizationId}, 'Taken')`;
      expect(await refusalOf(command(run, one, messages.rename, { name: 'taken', actor }))).toBe(
        'name_taken',
      );
      const answers = await Promise.all([
        command(run, one, messages.rename, { name: 'Free', actor }),
        command(run, one, messages.rename, { name: 'Free', actor }),
      ]);
      expect(answers[0]).toEqual(answers[1]);
      expect(await one.integration()).toMatchObject({ name: 'Free', version: 2 });
    }, integrationGoesOn(one));
  });

  test('asks for a new credential only after refusals over a longer time, and goes on with it', async () => {
    const tenant = await bench.tenant('active');
    const timing = { probeEveryMs: 400, confirmMs: 700 };
    await bench.run(async (run) => {
      await command(run, tenant, messages.resume, { actor }, timing);
      const handle = handleOf(run.client, tenant);
      // A brownout: refused at first, then taken again.
      run.bitbucket.probes.push(false, true, ...Array.from({ length: 50 }, () => false));
      await handle.signal(messages.credentialRefused, { at: new Date().toISOString() });
      await waitFor({
        what: 'the brownout is over',
        read: () => run.bitbucket.calls.filter((call) => call === 'probeCredential').length,
        until: (count) => count === 2,
      });
      expect(await tenant.integration()).toMatchObject({ state: 'active' });
      // A run that is refused says so again and again: one word may come before the brownout's end is taken in.
      await waitFor({
        what: 'the integration needs a credential',
        read: async () => {
          await handle.signal(messages.credentialRefused, { at: new Date().toISOString() });
          return tenant.integration();
        },
        until: (row) => row?.state === 'needs_credential',
        intervalMs: 250,
      });
      expect(await tenant.integration()).toMatchObject({ reason: { code: 'invalid_credentials' } });
      expect(await refusalOf(command(run, tenant, messages.discover, { actor }))).toBe('needs_credential');
      await command(run, tenant, messages.submitCredential, { ...(await tenant.credential()), actor });
      await until(tenant, 'active');
    }, integrationGoesOn(tenant));
  });

  test('continues as new with what it holds, and commands go on', async () => {
    const tenant = await bench.tenant('active');
    await bench.run(async (run) => {
      for (let turn = 0; turn < 12; turn += 1) {
        await command(run, tenant, messages.rename, { name: `Name ${turn}`, actor }, { historyLimit: 40 });
      }
      expect(await tenant.integration()).toMatchObject({ name: 'Name 11', version: 13 });
      await command(run, tenant, messages.resume, { actor });
      await run.record('integration-resumed-run', `integration/${tenant.integrationId}`);
      const { raw } = await handleOf(run.client, tenant).describe();
      expect(Number(raw.workflowExecutionInfo?.historyLength)).toBeLessThan(80);
      const first = raw.workflowExecutionInfo?.firstRunId;
      expect(raw.workflowExecutionInfo?.execution?.runId).not.toBe(first);
    }, integrationGoesOn(tenant));
  });
});
