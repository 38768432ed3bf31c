import { MockActivityEnvironment } from '@temporalio/testing';
import { describe, expect, test } from 'vitest';
import { advance, Fenced, markStream, openStream } from '../../../activities/streams/checkpoint.ts';
import { createPurgeActivities, createRuns } from '../../../activities/removal/purge.ts';
import { createRemovalActivities } from '../../../activities/removal/removal.ts';
import { createImportActivities } from '../../../activities/imports/imports.ts';
import { Secret } from '../../../platform/secrets/secret.ts';
import { holdIntegration } from '../../../db/queries/discovery.ts';
import { lockStreams } from '../../../db/queries/quarantineRetries.ts';
import { listMissed } from '../../../db/queries/poll/keptRepositories.ts';
import { readSyncSubject } from '../../../db/queries/syncs.ts';
import { useDatabaseBench } from '../../support/databaseBench.ts';
import { fillRepository, fillUpkeep, rowsLeft } from '../../support/importedRows.ts';
import type { TestTenant } from '../../support/integrationRows.ts';
import { createHook } from '../../support/webhooks.ts';
import { actor } from '../../support/workflowBench.ts';

const bench = useDatabaseBench({ role: 'worker', maxConnections: 6 });

const KEY = new Secret('k'.repeat(64));

const noRuns = {
  running: async () => [],
  cancel: async () => {},
  terminate: async () => {},
  deleteSchedule: async () => {},
};

/** The steps as their workflows take them, in transactions of `rowsATransaction`. */
function removal({ rowsATransaction = 5_000 } = {}) {
  const createRun = createRuns(bench.database, { rowsATransaction });
  const clones: string[] = [];
  const activities = {
    ...createRemovalActivities({ database: bench.database, runs: noRuns, createRun }),
    ...createPurgeActivities({
      createRun,
      clones: { remove: async (id) => void clones.push(id) },
    }),
  };
  const environment = new MockActivityEnvironment();
  const run = <T>(work: () => Promise<T>) => environment.run<[], T, () => Promise<T>>(work);
  return {
    clones,
    cancel: () => environment.cancel(),
    purge: (of: Parameters<typeof activities.purgeRows>[0]) => run(() => activities.purgeRows(of)),
    begin: (of: TestTenant) => run(() => activities.beginDisconnect({ ...idsOf(of), actor })),
    handOver: (of: TestTenant) => run(() => activities.handOverRepositories(idsOf(of))),
    count: (of: Parameters<typeof activities.countRows>[0]) => run(() => activities.countRows(of)),
    shred: (of: TestTenant) => run(() => activities.shredSecrets(idsOf(of))),
    finish: (of: TestTenant) => run(() => activities.finishDisconnect({ ...idsOf(of), actor })),
    mark: (of: { organizationId: string; repositoryId: string }) =>
      run(() => activities.beginRepositoryRemoval({ ...of, actor })),
    release: (of: { organizationId: string; repositoryId: string }) =>
      run(() => activities.finishRepositoryRemoval({ ...of, actor })),
  };
}

const idsOf = ({ organizationId, integrationId }: TestTenant) => ({ organizationId, integrationId });

/** An integration that imported its repositories. */
async function imported(repositories: number, rows = 3) {
  const tenant = await bench.tenant('active');
  const { organizationId, integrationId } = tenant;
  const ids = (await tenant.repositories(repositories)).toSorted();
  const importId = await tenant.storeImport({ all: true });
  const imports = createImportActivities({ database: bench.database, isRunning: async () => false });
  await new MockActivityEnvironment().run(() =>
    imports.prepareImport({ organizationId, integrationId, importId }),
  );
  await bench.sql`update repositories set first_imported_at = now(), last_imported_at = now()
    where organization_id = ${organizationId}`;
  for (const repositoryId of ids) await fillRepository(bench.sql, { organizationId, repositoryId }, rows);
  return {
    tenant,
    ids,
    importId,
    stream: { organizationId, repositoryId: ids[0]!, importId, stream: 'tickets' as const },
  };
}

const disconnecting = (tenant: TestTenant) =>
  bench.sql`update integrations set state = 'disconnecting' where id = ${tenant.integrationId}`;

const removalRow = async (subjectId: string) =>
  (
    await bench.sql`select step, rows_total::int as total, rows_removed::int as removed from removals
    where subject_id = ${subjectId}`
  )[0];

describe('an integration', () => {
  test('leaves nothing, counts what it removes, and takes its clones along', async () => {
    const { tenant, ids, importId } = await imported(2, 20);
    await bench.sql`insert into import_events (organization_id, import_id, type)
      select ${tenant.organizationId}, ${importId}, 'x' from generate_series(1, 50)`;
    await tenant.credential();
    await tenant.oauthFlow();
    await fillUpkeep(bench.sql, tenant, ids[0]!, 30);
    await disconnecting(tenant);
    const steps = removal({ rowsATransaction: 7 });
    expect(await steps.begin(tenant)).toEqual({ gone: false });
    expect(await tenant.events(importId)).toContain('import_cancelling');
    await steps.shred(tenant);
    expect((await tenant.credentialStates()).map(({ sealed }) => sealed)).toEqual([null]);
    const { rows } = await steps.count(idsOf(tenant));
    expect(await removalRow(tenant.integrationId)).toEqual({ step: 'purging', total: rows, removed: 0 });
    expect(await steps.purge(idsOf(tenant))).toEqual({ done: true });
    expect(await removalRow(tenant.integrationId)).toMatchObject({ total: rows, removed: rows });
    expect(steps.clones.toSorted()).toEqual(ids);
    await steps.finish(tenant);
    await steps.finish(tenant);
    expect(await rowsLeft(bench.sql, tenant.organizationId)).toEqual({});
    const deleted = await bench.sql`select from audit_events
      where organization_id = ${tenant.organizationId} and action = 'integration_deleted'`;
    expect(deleted).toHaveLength(1);
  });

  test('tells of the webhooks that nobody could remove at Bitbucket, and of none that never was there', async () => {
    const { tenant, ids } = await imported(1);
    for (const made of [true, false]) {
      const hook = await createHook(bench.sql, tenant, { key: KEY, repositoryId: made ? null : ids[0]! });
      const state = made ? 'removing' : 'pending';
      await bench.sql`update webhooks set provider_uuid = ${made ? '{1}' : null}, state = ${state} where id = ${hook.id}`;
    }
    await disconnecting(tenant);
    const steps = removal();
    await steps.begin(tenant);
    expect(await steps.purge(idsOf(tenant))).toEqual({ done: true });
    const told = await bench.sql`select details from audit_events
      where organization_id = ${tenant.organizationId} and action = 'webhook_left'`;
    expect(told).toMatchObject([{ details: { scope: 'workspace', code: 'not_removed' } }]);
  });

  test('is removed on from wherever an attempt broke off', async () => {
    const { tenant, ids } = await imported(2, 30);
    await disconnecting(tenant);
    await removal().begin(tenant);
    let attempts = 0;
    for (let done = false; !done; attempts += 1) {
      const steps = removal({ rowsATransaction: 10 });
      // Cancelled between two transactions, each time at another place.
      const attempt = steps.purge(idsOf(tenant));
      // Later each time: on a busy machine nothing is done in 30 ms, however often.
      const watch = setInterval(() => steps.cancel(), 30 + 5 * attempts);
      done = await attempt.then(
        () => true,
        () => false,
      );
      clearInterval(watch);
      if (attempts > 200) throw new Error('It comes to no end.');
    }
    expect(attempts).toBeGreaterThan(1);
    await removal().finish(tenant);
    expect(await rowsLeft(bench.sql, tenant.organizationId)).toEqual({});
    expect(ids).toHaveLength(2);
  });

  test('hands repositories over to one that sees them, without what that one does not bring in', async () => {
    const { tenant, ids } = await imported(3);
    const { organizationId } = tenant;
    const sibling = await tenant.sibling();
    const paused = await tenant.sibling();
    await bench.sql`update integrations set services = '{repositories,pull_requests}' where id = ${sibling.integrationId}`;
    await bench.sql`update integrations set services = '{tickets}' where id = ${paused.integrationId}`;
    const [seen, seenByTickets, unseen] = ids as [string, string, string];
    await bench.sql`delete from integration_repositories where repository_id = ${unseen}
      and integration_id <> ${tenant.integrationId}`;
    await bench.sql`delete from integration_repositories where repository_id = ${seenByTickets}
      and integration_id = ${sibling.integrationId}`;
    const before = await rowsLeft(bench.sql, organizationId, seen);
    await disconnecting(tenant);
    const steps = removal();
    await steps.begin(tenant);
    expect(await steps.handOver(tenant)).toEqual({ done: true });
    const owners = await bench.sql`select id, integration_id as owner from repositories
      where organization_id = ${organizationId} order by id`;
    expect(owners).toEqual([
      { id: seen, owner: sibling.integrationId },
      { id: seenByTickets, owner: paused.integrationId },
      { id: unseen, owner: tenant.integrationId },
    ]);
    await steps.purge(idsOf(tenant));
    await steps.finish(tenant);

    const after = await rowsLeft(bench.sql, organizationId, seen);
    const gone = ['tickets', 'ticket_comments', 'ticket_changes', 'import_repositories'];
    expect(Object.keys(after).toSorted()).toEqual(
      Object.keys(before)
        .filter((table) => !gone.includes(table))
        .toSorted(),
    );
    for (const table of ['commits', 'pull_requests', 'pull_request_commits', 'repository_syncs']) {
      expect(after[table], table).toBe(before[table]);
    }
    expect(after['streams']).toBe(5);
    const ofTickets = await rowsLeft(bench.sql, organizationId, seenByTickets);
    expect([ofTickets['tickets'], ofTickets['commits'], ofTickets['streams']]).toEqual([3, undefined, 3]);
    expect(await rowsLeft(bench.sql, organizationId, unseen)).toEqual({});
    const left =
      await bench.sql`select count(*)::int as n from repositories where organization_id = ${organizationId}`;
    expect(left).toEqual([{ n: 2 }]);
    // Something is left that may name them.
    expect((await rowsLeft(bench.sql, organizationId))['accounts']).toBe(3);
  });

  test('hands over to nobody who lost sight of it, and has the next round of the other one read what came meanwhile', async () => {
    const { tenant, ids } = await imported(1);
    const repositoryId = ids[0]!;
    const [lost, sibling] = [await tenant.sibling(), await tenant.sibling()];
    await bench.sql`update integration_repositories set presence = 'no_access'
      where integration_id = ${lost.integrationId}`;
    await bench.sql`update integrations set services = '{repositories,tickets}' where id = ${sibling.integrationId}`;
    await disconnecting(tenant);
    const steps = removal();
    await steps.begin(tenant);
    await steps.handOver(tenant);
    const missed = await bench.inTenant(sibling, (tx) => listMissed(tx, idsOf(sibling)));
    expect(missed).toEqual([
      { repositoryId, fullName: 'acme/repo-001', services: ['repositories', 'tickets'] },
    ]);
  });

  test('hands over what it has not imported to its end to one that imports it too, and to no other', async () => {
    const { tenant, ids } = await imported(2);
    const { organizationId, integrationId } = tenant;
    const sibling = await tenant.sibling();
    const [wanted, unwanted] = ids as [string, string];
    await bench.sql`update repositories set first_imported_at = null where organization_id = ${organizationId}`;
    const importId = await sibling.storeImport({ repositories: [wanted] });
    const imports = createImportActivities({ database: bench.database, isRunning: async () => false });
    await new MockActivityEnvironment().run(() => imports.prepareImport({ ...idsOf(sibling), importId }));
    await disconnecting(tenant);
    const steps = removal();
    await steps.begin(tenant);
    await steps.handOver(tenant);
    const owners = await bench.sql`select id, integration_id as owner from repositories
      where organization_id = ${organizationId} order by id`;
    expect(owners).toEqual([
      { id: wanted, owner: sibling.integrationId },
      { id: unwanted, owner: integrationId },
    ]);
    await steps.purge(idsOf(tenant));
    await steps.finish(tenant);
    const left = await rowsLeft(bench.sql, organizationId, unwanted);
    expect(Object.keys(left).toSorted()).toEqual(['integration_repositories', 'repository_health']);
  });

  test('leaves a repository that was only discovered by another one, and frees what nobody sees', async () => {
    const { tenant, ids } = await imported(2);
    const sibling = await tenant.sibling();
    await bench.sql`update integrations set services = '{}' where id = ${sibling.integrationId}`;
    await bench.sql`delete from integration_repositories where repository_id = ${ids[1]!}
      and integration_id = ${sibling.integrationId}`;
    await disconnecting(tenant);
    const steps = removal();
    await steps.begin(tenant);
    await steps.handOver(tenant);
    await steps.purge(idsOf(tenant));
    await steps.finish(tenant);
    const left = await bench.sql`select id, integration_id, first_imported_at from repositories
      where organization_id = ${tenant.organizationId}`;
    expect(left).toEqual([{ id: ids[0], integration_id: null, first_imported_at: null }]);
    expect(Object.keys(await rowsLeft(bench.sql, tenant.organizationId)).toSorted()).toEqual([
      'integration_repositories',
      'integrations',
      'repositories',
      'repository_health',
      'workspaces',
    ]);
  });

  test('stops removing a repository that an import of another one takes over meanwhile', async () => {
    const { tenant, ids } = await imported(1, 50);
    const sibling = await tenant.sibling();
    await disconnecting(tenant);
    await removal().begin(tenant);
    const importId = await sibling.storeImport({ repositories: ids });
    const imports = createImportActivities({ database: bench.database, isRunning: async () => false });
    await new MockActivityEnvironment().run(() => imports.prepareImport({ ...idsOf(sibling), importId }));
    const steps = removal();
    await steps.purge(idsOf(tenant));
    await steps.finish(tenant);
    expect(await rowsLeft(bench.sql, tenant.organizationId, ids[0])).toMatchObject({
      commits: 50,
      streams: 8,
    });
    const [row] = await bench.sql`select integration_id from repositories where id = ${ids[0]!}`;
    expect(row!['integration_id']).toBe(sibling.integrationId);
  });
});

describe('a writer that wakes up late', () => {
  const write = (stream: Parameters<typeof openStream>[1], epoch: number) =>
    bench.database.transaction(stream.organizationId, async (tx) => {
      await advance(tx, { ...stream, epoch, expectedPosition: null, position: { page: 2 } });
      await markStream(tx, { ...stream, epoch }, { state: 'healthy', error: null });
    });

  test('cannot store its page or open a stream, while the integration is removed and when it is gone', async () => {
    const { tenant, stream } = await imported(1);
    const { organizationId } = tenant;
    const { epoch } = await openStream(bench.database, stream);
    await disconnecting(tenant);
    // A page that is being stored when the state changes is stored, and removed with the others.
    await write(stream, epoch);
    await expect(openStream(bench.database, stream)).rejects.toMatchObject({ type: 'repository_removed' });
    const held = await bench.database.transaction(organizationId, (tx) => holdIntegration(tx, idsOf(tenant)));
    expect(held).toBe(false);
    const steps = removal();
    await steps.begin(tenant);
    await steps.purge(idsOf(tenant));
    await expect(write(stream, epoch)).rejects.toBeInstanceOf(Fenced);
    await expect(openStream(bench.database, stream)).rejects.toMatchObject({ type: 'repository_removed' });
    await steps.finish(tenant);
    await expect(write(stream, epoch)).rejects.toBeInstanceOf(Fenced);
    await expect(openStream(bench.database, stream)).rejects.toMatchObject({ type: 'repository_removed' });
    expect(await rowsLeft(bench.sql, organizationId)).toEqual({});
  });

  test('of a repository that was removed and imported again is below the new epoch', async () => {
    const { tenant, stream, ids } = await imported(1);
    const { organizationId } = tenant;
    const repository = { organizationId, repositoryId: ids[0]! };
    await bench.sql`delete from streams where repository_id = ${ids[0]!}`;
    const { epoch } = await openStream(bench.database, stream);
    const steps = removal();
    await steps.mark(repository);
    await expect(openStream(bench.database, stream)).rejects.toMatchObject({ type: 'repository_removed' });
    const subject = await bench.database.transaction(organizationId, (tx) =>
      readSyncSubject(tx, { ...idsOf(tenant), repositoryId: ids[0]! }),
    );
    expect(subject).toBeUndefined();
    await steps.purge(repository);
    const kept = await bench.database.transaction(organizationId, (tx) =>
      lockStreams(tx, { ...stream, streams: [stream.stream] }),
    );
    expect(kept).toEqual([]);
    await steps.release(repository);

    const importId = await tenant.storeImport({ repositories: ids });
    const imports = createImportActivities({ database: bench.database, isRunning: async () => false });
    await new MockActivityEnvironment().run(() => imports.prepareImport({ ...idsOf(tenant), importId }));
    const anew = await openStream(bench.database, { ...stream, importId });
    expect(anew).toMatchObject({ position: null, watermark: null });
    expect(anew.epoch).toBeGreaterThan(epoch);
    await expect(write(stream, epoch)).rejects.toBeInstanceOf(Fenced);
  });
});

describe('one repository', () => {
  test('goes with its rows; the others, and what imports say of it, stay', async () => {
    const { tenant, ids, importId } = await imported(2);
    const { organizationId, integrationId } = tenant;
    const [gone, stays] = ids as [string, string];
    const before = await rowsLeft(bench.sql, organizationId, stays);
    const repository = { organizationId, repositoryId: gone };
    const steps = removal({ rowsATransaction: 2 });
    expect(await steps.mark(repository)).toMatchObject({ importIds: [importId] });
    expect(await steps.mark(repository)).toMatchObject({ importIds: [] });
    const { rows } = await steps.count(repository);
    await steps.purge(repository);
    expect(await removalRow(gone)).toMatchObject({ removed: rows });
    await steps.release(repository);
    await steps.release(repository);
    expect(Object.keys(await rowsLeft(bench.sql, organizationId, gone)).toSorted()).toEqual([
      'import_events',
      'import_repositories',
      'integration_repositories',
      'repository_health',
    ]);
    expect(await rowsLeft(bench.sql, organizationId, stays)).toEqual(before);
    expect(steps.clones).toEqual([gone]);
    expect(await tenant.repositoryRows(importId)).toEqual(
      expect.arrayContaining([expect.objectContaining({ id: gone, state: 'cancelled' })]),
    );
    const [row] = await bench.sql`select integration_id, first_imported_at, removed_at is not null as removed
      from repositories where id = ${gone}`;
    expect(row).toEqual({ integration_id: null, first_imported_at: null, removed: true });
    const audit =
      await bench.sql`select action, integration_id, acting_user, details ->> 'repository_id' as repository
      from audit_events where organization_id = ${organizationId} order by id`;
    const who = { integration_id: integrationId, acting_user: 'anna', repository: gone };
    expect(audit).toEqual([
      { action: 'repository_removal_requested', ...who },
      { action: 'repository_removed', ...who },
    ]);

    const chosen = async (selection: Record<string, unknown>) => {
      const next = await tenant.storeImport(selection);
      const imports = createImportActivities({ database: bench.database, isRunning: async () => false });
      await new MockActivityEnvironment().run(() =>
        imports.prepareImport({ ...idsOf(tenant), importId: next }),
      );
      return (await tenant.repositoryRows(next)).map(({ id }) => id).toSorted();
    };
    expect(await chosen({ all: true })).toEqual([stays]);
    expect(await chosen({ repositories: [gone] })).toEqual([gone]);
    expect(await chosen({ all: true })).toEqual(ids);
  });
});
