import { expect, test } from 'vitest';
import { createImportActivities } from '../../activities/imports/imports.ts';
import {
  discoveryWorkflowId,
  importRepositoryWorkflowId,
  importWorkflowId,
  integrationWorkflowId,
  lookUpWorkflowId,
} from '../../workflows/ids.ts';
import * as messages from '../../workflows/messages.ts';
import { callsOf } from '../support/bitbucketCalls.ts';
import { EFFECTIVE_MS, untilImport, untilRepository } from '../support/importBench.ts';
import { hint, importedRepository, syncsOf } from '../support/syncBench.ts';
import { waitFor } from '../support/waitFor.ts';
import {
  actor,
  command,
  eventsOfOnlyRun,
  integrationGoesOn,
  refusalOf,
  useWorkflowBench,
} from '../support/workflowBench.ts';

const bench = useWorkflowBench();

test('a pause stops imports and the discovery at their places, begins nothing, and says so; resume goes on', async () => {
  const tenant = await bench.tenant('active');
  const [id] = await tenant.repositories(1);
  const importId = await tenant.storeImport({ all: true });
  await bench.run(async (run) => {
    run.bitbucket.git.set(id!, ['hang', { done: true }]);
    run.bitbucket.discovery.push({ cursor: 'a place' }, 'hang');
    await command(run, tenant, messages.startImport, { importId, mode: 'changed', actor });
    await command(run, tenant, messages.discover, { actor });
    await waitFor({
      what: 'git and the second chunk of the discovery are under way',
      read: () => run.bitbucket.calls,
      until: (calls) =>
        calls.includes(`importGit ${id}`) &&
        calls.filter((call) => call.startsWith('discoverChunk')).length === 2,
    });
    for (const _ of ['once', 'again']) {
      expect(await command(run, tenant, messages.pause, { actor })).toMatchObject({ state: 'paused' });
    }
    await untilRepository(tenant, importId, id!, 'paused');
    await untilImport(tenant, importId, 'paused');
    expect(await tenant.importRow(importId)).toMatchObject({ waiting_reason: 'The integration is paused' });
    expect(await tenant.integration()).toMatchObject({ state: 'paused', reason: { code: 'paused' } });
    await waitFor({
      what: 'the discovery let go of its chunk',
      read: () => run.bitbucket.stopped,
      until: (stopped) => stopped.includes('discoverChunk'),
      timeoutMs: EFFECTIVE_MS,
    });
    const refusals = [
      command(run, tenant, messages.discover, { actor }),
      command(run, tenant, messages.startImport, { importId, mode: 'changed', actor }),
    ].map(refusalOf);
    expect(await Promise.all(refusals)).toEqual(['paused', 'paused']);
    const calls = [...run.bitbucket.calls];
    // Workers that know nothing must know from the history that it is paused.
    await run.restart();
    await command(run, tenant, messages.rename, { name: 'Still paused', actor });
    expect(run.bitbucket.calls).toEqual(calls);

    for (const _ of ['once', 'again']) {
      expect(await command(run, tenant, messages.resume, { actor })).toMatchObject({ state: 'active' });
    }
    await run.client.workflow.getHandle(importWorkflowId(importId)).result();
    await run.client.workflow.getHandle(discoveryWorkflowId(tenant.integrationId)).result();
    expect(await tenant.importRow(importId)).toMatchObject({ state: 'completed' });
    expect(await tenant.integration()).toMatchObject({ reason: null, discovery_state: 'done' });
    // The chunk that was stopped is read again from its place, and no other.
    const places = callsOf(run, 'discoverChunk');
    expect(places).toEqual(['discoverChunk null', 'discoverChunk a place', 'discoverChunk a place']);
    const audit = await bench.sql`select action, acting_user from audit_events
        where integration_id = ${tenant.integrationId} and action ~ 'paused|resumed' order by id`;
    expect(audit).toMatchObject([
      { action: 'integration_paused', acting_user: 'anna' },
      { action: 'integration_resumed', acting_user: 'anna' },
    ]);
    await run.record('paused-integration', integrationWorkflowId(tenant.integrationId));
    await run.record('paused-discovery', discoveryWorkflowId(tenant.integrationId));
  }, integrationGoesOn(tenant));
});

test('a pause reaches repositories that are being looked up', async () => {
  const tenant = await bench.tenant('active');
  const { organizationId, integrationId } = tenant;
  await bench.run(async (run) => {
    await command(run, tenant, messages.rename, { name: 'Acme', actor });
    bench.meanwhile('lookUpRepositories', { before: () => command(run, tenant, messages.pause, { actor }) });
    const lookUp = await run.client.workflow.start('discoverIntegration', {
      workflowId: lookUpWorkflowId(integrationId),
      taskQueue: run.taskQueue,
      args: [{ organizationId, integrationId, lookUp: ['{new}'] }],
    });
    await waitFor({
      what: 'it is told',
      read: async () => (await lookUp.fetchHistory()).events ?? [],
      until: (events) =>
        events.some((event) => event.workflowExecutionSignaledEventAttributes?.signalName === 'setPaused'),
    });
    await command(run, tenant, messages.resume, { actor });
    await lookUp.result();
    expect(callsOf(run, 'lookUpRepositories')).not.toEqual([]);
    await run.record('pause-reaches-a-look-up', integrationWorkflowId(integrationId));
  }, integrationGoesOn(tenant));
});

test('a pause stops a sync at its checkpoint too, and a hint that comes meanwhile is remembered', async () => {
  const tenant = await bench.tenant('active');
  const id = await importedRepository(bench, tenant);
  await bench.run(async (run) => {
    run.bitbucket.git.set(id, ['hang', { done: true }]);
    const sync = await hint(run, tenant, id, { services: ['repositories'] });
    await waitFor({
      what: 'git is being read',
      read: () => run.bitbucket.calls.length,
      until: (count) => count === 1,
    });
    const outcome = async () => (await syncsOf(bench.sql, id))[0]?.outcome;
    await command(run, tenant, messages.pause, { actor });
    await waitFor({
      what: 'the sync is paused',
      read: outcome,
      until: (state) => state === 'paused',
      timeoutMs: EFFECTIVE_MS,
    });
    await hint(run, tenant, id, { services: ['pull_requests'] });
    expect(run.bitbucket.calls).toHaveLength(1);
    await command(run, tenant, messages.resume, { actor });
    await sync.result();
    expect(run.bitbucket.calls.map((call) => call.split(' ')[0])).toEqual([
      'importGit',
      'importGit',
      'importChunk',
    ]);
  }, integrationGoesOn(tenant));
});

test('a repository whose run begins behind the pause learns of it from the row', async () => {
  const tenant = await bench.tenant('active');
  const [id] = await tenant.repositories(1);
  const importId = await tenant.storeImport({ all: true });
  const { organizationId, integrationId } = tenant;
  const activities = createImportActivities({ database: bench.database, isRunning: async () => false });
  await bench.sql`insert into import_repositories (organization_id, import_id, repository_id, place)
    values (${organizationId}, ${importId}, ${id!}, 1)`;
  const begin = () =>
    activities.beginRepository({ organizationId, integrationId, importId, repositoryId: id! });
  expect(await begin()).not.toHaveProperty('paused');
  await bench.sql`update integrations set state = 'paused' where id = ${integrationId}`;
  expect(await begin()).toMatchObject({ paused: 'integration' });
  await bench.sql`update integrations set state = 'needs_credential' where id = ${integrationId}`;
  expect(await begin()).toMatchObject({ paused: 'needs_credential' });
});

test('what a state forbids is refused with the way out', async () => {
  for (const [state, code] of [
    ['connected', 'needs_create'],
    ['needs_credential', 'needs_credential'],
    ['disconnecting', 'disconnecting'],
  ] as const) {
    const tenant = await bench.tenant(state);
    await bench.run(async (run) => {
      expect(await refusalOf(command(run, tenant, messages.pause, { actor })), state).toBe(code);
      expect(await refusalOf(command(run, tenant, messages.resume, { actor })), state).toBe(code);
    }, integrationGoesOn(tenant));
  }
});

test('a pause reaches thousands of syncs, and resume as well, in a history that stays short', async () => {
  const tenant = await bench.tenant('active');
  const { organizationId, integrationId } = tenant;
  const id = await importedRepository(bench, tenant);
  await tenant.repositories(2_100);
  await bench.run(async (run) => {
    run.bitbucket.git.set(id, ['hang', { done: true }]);
    const sync = await hint(run, tenant, id, { services: ['repositories'] });
    const outcome = async () => (await syncsOf(bench.sql, id))[0]?.outcome;
    await waitFor({ what: 'a sync is under way', read: outcome, until: (state) => state === 'running' });
    // Of runs that have ended meanwhile: only their rows say that they are there. They come before and behind the one that is.
    await bench.sql`
      with made as (
        insert into imports (id, organization_id, integration_id, mode, selection, kind, state)
        select gen_random_uuid(), organization_id, ${integrationId}, 'changed', '{}', 'sync', 'running'
        from repositories where organization_id = ${organizationId} and id <> ${id} returning id, organization_id
      ), placed as (select id, organization_id, row_number() over () as place from made),
      seen as (select id, row_number() over () as place from repositories
        where organization_id = ${organizationId} and id <> ${id})
      insert into import_repositories (organization_id, import_id, repository_id, place, state)
      select p.organization_id, p.id, s.id, 1, 'rate_limited' from placed p join seen s using (place)`;
    await command(run, tenant, messages.pause, { actor });
    await waitFor({ what: 'the sync is paused', read: outcome, until: (state) => state === 'paused' });
    await command(run, tenant, messages.resume, { actor });
    await sync.result();
    expect(await eventsOfOnlyRun(run.client, tenant)).toBeLessThan(200);
    await run.record('pause-told-by-activity', integrationWorkflowId(integrationId));
  }, integrationGoesOn(tenant));
});

test('what an older version of the integration says does not undo what a newer one said', async () => {
  const tenant = await bench.tenant('active');
  const id = await importedRepository(bench, tenant);
  await bench.run(async (run) => {
    run.bitbucket.git.set(id, ['hang', 'hang', { done: true }]);
    const sync = await hint(run, tenant, id, { services: ['repositories'] });
    const reads = (count: number) =>
      waitFor({
        what: `git is read for the ${count}. time`,
        read: () => run.bitbucket.calls.length,
        until: (calls) => calls === count,
      });
    await reads(1);
    const [{ import_id: importId } = { import_id: '' }] = await bench.sql<{ import_id: string }[]>`
      select import_id from import_repositories where repository_id = ${id} and state = 'running'`;
    const repository = run.client.workflow.getHandle(importRepositoryWorkflowId(id));
    const say = (version: number, reason: 'integration' | null) =>
      repository.signal(messages.setPaused, { paused: reason !== null, reason, importId, version });
    // Of another integration, whose row has been written more often.
    await repository.signal(messages.setPaused, {
      paused: false,
      reason: null,
      importId: crypto.randomUUID(),
      version: 100,
    });
    await say(7, 'integration');
    await waitFor({
      what: 'it is paused',
      read: async () => (await syncsOf(bench.sql, id))[0]?.outcome,
      until: (state) => state === 'paused',
    });
    await say(8, null);
    await reads(2);
    await say(7, 'integration');
    // What is in hand stops, and goes on: it would not, were it paused.
    await repository.signal(messages.servicesChanged, { importId });
    await sync.result();
    expect(run.bitbucket.calls).toEqual(Array.from({ length: 3 }, () => `importGit ${id}`));
  }, integrationGoesOn(tenant));
});
