import { describe, expect, test } from 'vitest';
import { advance, openStream } from '../../activities/streams/checkpoint.ts';
import { createIntegrationActivities } from '../../activities/integrations/integrations.ts';
import { importWorkflowId, integrationWorkflowId } from '../../workflows/ids.ts';
import * as messages from '../../workflows/messages.ts';
import type { Service, Stream } from '../../workflows/words.ts';
import { callsOf, untilCalled } from '../support/bitbucketCalls.ts';
import { EFFECTIVE_MS, untilImport } from '../support/importBench.ts';
import { begunImport, catchUpsOf, changeServices, streamsOf } from '../support/servicesBench.ts';
import { hint, importedRepository, syncsOf } from '../support/syncBench.ts';
import {
  actor,
  type BenchRun,
  command,
  integrationGoesOn,
  refusalOf,
  useWorkflowBench,
} from '../support/workflowBench.ts';

/** Services that are switched off and on while things run. */
const bench = useWorkflowBench();

const untilAsked = (run: BenchRun, name: string, times: number) =>
  untilCalled(run, name, times, EFFECTIVE_MS);

describe('a service that is switched off while an import runs', () => {
  test('stops what is in hand; the import goes on without it, and what is stored stays', async () => {
    const tenant = await bench.tenant('active');
    const [id] = await tenant.repositories(1);
    await bench.run(async (run) => {
      run.bitbucket.chunks.set(id!, ['hang', { done: true }]);
      const importId = await begunImport(run, tenant);
      await untilAsked(run, 'importChunk', 1);
      const answer = await changeServices(run, tenant, ['pull_requests', 'repositories']);
      expect(answer).toMatchObject({ state: 'active', services: ['repositories', 'pull_requests'] });
      await untilAsked(run, 'importChunk', 2);
      await run.client.workflow.getHandle(importWorkflowId(importId)).result();
      expect(await tenant.importRow(importId)).toMatchObject({ state: 'completed' });
      expect(await streamsOf(bench.sql, importId)).toMatchObject({
        commits: 'healthy',
        pull_requests: 'healthy',
        tickets: 'switched_off',
        ticket_changes: 'switched_off',
      });
      // Git was done before, and is not read again.
      expect(callsOf(run, 'importGit')).toHaveLength(1);
      await run.record('services-changed', `repository/${id}/import`);
    }, integrationGoesOn(tenant));
  });

  test('ends a clone, and nothing but what is left of the services is read', async () => {
    const tenant = await bench.tenant('active');
    const [id] = await tenant.repositories(1);
    await bench.run(async (run) => {
      run.bitbucket.git.set(id!, ['hang']);
      const importId = await begunImport(run, tenant);
      await untilAsked(run, 'importGit', 1);
      await changeServices(run, tenant, ['pull_requests']);
      await untilAsked(run, 'importChunk', 1);
      await untilImport(tenant, importId, 'completed');
      expect(await streamsOf(bench.sql, importId)).toMatchObject({
        commits: 'switched_off',
        pull_requests: 'healthy',
      });
    }, integrationGoesOn(tenant));
  });

  test('and on again, is read by the import that runs', async () => {
    const tenant = await bench.tenant('active');
    const [id] = await tenant.repositories(1);
    await bench.run(async (run) => {
      let end: (result: { done: boolean }) => void = () => {};
      const last = new Promise<{ done: boolean }>((resolve) => (end = resolve));
      run.bitbucket.chunks.set(id!, ['hang', 'hang', last]);
      const importId = await begunImport(run, tenant);
      await untilAsked(run, 'importChunk', 1);
      await changeServices(run, tenant, ['repositories', 'pull_requests']);
      await untilAsked(run, 'importChunk', 2);
      await changeServices(run, tenant, ['repositories', 'pull_requests', 'tickets']);
      end({ done: true });
      await untilImport(tenant, importId, 'completed');
      expect(new Set(Object.values(await streamsOf(bench.sql, importId)))).toEqual(new Set(['healthy']));
      // Nothing is imported yet that would have to catch up.
      expect(await catchUpsOf(bench.sql, tenant)).toEqual([]);
    }, integrationGoesOn(tenant));
  });
});

test('switched off, a sync of it stops and ends; of the others it goes on', async () => {
  const tenant = await bench.tenant('active');
  const id = await importedRepository(bench, tenant);
  await bench.run(async (run) => {
    run.bitbucket.chunks.set(id, ['hang', { done: true }]);
    const sync = await hint(run, tenant, id, { services: ['tickets', 'pull_requests'] });
    await untilAsked(run, 'importChunk', 1);
    await changeServices(run, tenant, ['repositories', 'pull_requests']);
    await sync.result();
    const [last] = await syncsOf(bench.sql, id);
    expect(last).toMatchObject({ outcome: 'completed' });
    expect(await streamsOf(bench.sql, last!.id)).toMatchObject({
      tickets: 'switched_off',
      pull_requests: 'healthy',
    });
  }, integrationGoesOn(tenant));
});

test('switched on, it catches up over what is imported, and over nothing else; the same twice is once', async () => {
  const tenant = await bench.tenant('active');
  const id = await importedRepository(bench, tenant);
  await tenant.repositories(2);
  await bench.run(async (run) => {
    await changeServices(run, tenant, ['repositories']);
    await Promise.all([
      changeServices(run, tenant, ['repositories', 'tickets']),
      changeServices(run, tenant, ['tickets', 'repositories']),
    ]);
    const [catchUp, ...more] = await catchUpsOf(bench.sql, tenant);
    expect(more).toEqual([]);
    expect(catchUp).toMatchObject({ services: ['tickets'], mode: 'changed', started_by_user: 'anna' });
    await untilImport(tenant, catchUp!.id, 'completed');
    expect(await tenant.repositoryRows(catchUp!.id)).toMatchObject([{ id, state: 'completed' }]);
    expect(Object.keys(await streamsOf(bench.sql, catchUp!.id))).toEqual([
      'ticket_changes',
      'ticket_comments',
      'tickets',
    ]);
    expect(run.bitbucket.calls.map((call) => call.split(' ')[0])).toEqual(['importChunk']);
    await run.record('services-catch-up', integrationWorkflowId(tenant.integrationId));
    const audit = await bench.sql`select details from audit_events
        where integration_id = ${tenant.integrationId} and action = 'services_changed' order by id`;
    expect(audit.map(({ details }) => details as unknown)).toEqual([
      { on: [], off: ['pull_requests', 'tickets'] },
      { on: ['tickets'], off: [] },
    ]);
  }, integrationGoesOn(tenant));
});

test('switched on while the integration is paused, it catches up when that goes on', async () => {
  const tenant = await bench.tenant('active');
  await importedRepository(bench, tenant);
  await bench.run(async (run) => {
    await changeServices(run, tenant, ['repositories']);
    await command(run, tenant, messages.pause, { actor });
    await changeServices(run, tenant, ['repositories', 'pull_requests']);
    const [catchUp] = await catchUpsOf(bench.sql, tenant);
    await untilImport(tenant, catchUp!.id, 'paused');
    expect(run.bitbucket.calls).toEqual([]);
    await command(run, tenant, messages.resume, { actor });
    await untilImport(tenant, catchUp!.id, 'completed');
  }, integrationGoesOn(tenant));
});

test('no service at all, and one that the credential does not allow, are refused; one that is on may stay', async () => {
  const tenant = await bench.tenant('active');
  await bench.sql`update integrations set services = '{repositories,tickets}', allowed_services = '{repositories}'
    where id = ${tenant.integrationId}`;
  const draft = await bench.tenant('connected');
  await bench.run(
    async (run) => {
      expect(await refusalOf(changeServices(run, tenant, []))).toBe('nothing_chosen');
      expect(await refusalOf(changeServices(run, tenant, ['pull_requests']))).toBe('service_not_allowed');
      expect(await refusalOf(changeServices(run, tenant, ['tickets']))).toBeUndefined();
      expect(await refusalOf(changeServices(run, tenant, ['repositories', 'tickets']))).toBeUndefined();
      expect(await refusalOf(changeServices(run, draft, ['repositories']))).toBe('needs_create');
    },
    {
      unfinished: () => [
        integrationWorkflowId(tenant.integrationId),
        integrationWorkflowId(draft.integrationId),
      ],
    },
  );
});

describe('in the rows, from the moment in which a service is off', () => {
  async function opened() {
    const tenant = await bench.tenant('active');
    const id = await importedRepository(bench, tenant);
    const importId = await tenant.storeImport({ all: true });
    const { organizationId, integrationId } = tenant;
    await bench.sql`insert into import_repositories (organization_id, import_id, repository_id, place)
      values (${organizationId}, ${importId}, ${id}, 1)`;
    const stream = { organizationId, repositoryId: id, importId, stream: 'tickets' as Stream };
    await bench.sql`insert into import_streams ${bench.sql({
      organization_id: organizationId,
      import_id: importId,
      repository_id: id,
      stream: 'tickets',
    })}`;
    const activities = createIntegrationActivities({ database: bench.database });
    const save = async (services: Service[]) => {
      const { version } = await tenant.snapshot();
      await activities.saveIntegration({
        organizationId,
        integrationId,
        expectedVersion: version,
        change: { services },
      });
    };
    const state = async () =>
      (await bench.sql<{ state: string }[]>`select state from streams where repository_id = ${id}`)[0]?.state;
    return { tenant, stream, save, state };
  }

  test('whoever reads it writes nothing more, and nobody opens it again', async () => {
    const { stream, save, state } = await opened();
    const { epoch, position } = await openStream(bench.database, stream);
    await save(['repositories']);
    const write = () =>
      bench.database.transaction(stream.organizationId, (tx) =>
        advance(tx, { ...stream, epoch, expectedPosition: position, position: { page: 2 } }),
      );
    await expect(write()).rejects.toMatchObject({ type: 'Fenced' });
    await expect(openStream(bench.database, stream)).rejects.toMatchObject({ type: 'SwitchedOff' });
    expect(await state()).toBe('switched_off');
    await save(['repositories', 'tickets']);
    expect(await state()).toBe('never');
    await openStream(bench.database, stream);
    expect(await state()).toBe('processing');
  });

  test('an attempt that opens it at this very moment is shut out or refused', async () => {
    for (let turn = 0; turn < 20; turn += 1) {
      const { stream, save, state } = await opened();
      const [, attempt] = await Promise.allSettled([
        save(['repositories']),
        openStream(bench.database, stream),
      ]);
      if (attempt.status === 'rejected') {
        expect(attempt.reason).toMatchObject({ type: 'SwitchedOff' });
        continue;
      }
      const { epoch, position } = attempt.value;
      const write = bench.database.transaction(stream.organizationId, (tx) =>
        advance(tx, { ...stream, epoch, expectedPosition: position, position: { page: 2 } }),
      );
      await expect(write).rejects.toMatchObject({ type: 'Fenced' });
      expect(await state()).toBe('switched_off');
    }
  });
});
