import { describe, expect, test } from 'vitest';
import { advance, Fenced, markStream, openStream } from '../../../activities/streams/checkpoint.ts';
import { holdIntegration } from '../../../db/queries/discovery.ts';
import { lockStreams } from '../../../db/queries/quarantineRetries.ts';
import { readSyncSubject } from '../../../db/queries/syncs.ts';
import { Secret } from '../../../platform/secrets/secret.ts';
import { useDatabaseBench } from '../../support/databaseBench.ts';
import { fillUpkeep, rowsLeft } from '../../support/importedRows.ts';
import { createHook } from '../../support/webhooks.ts';
import { createPurging, idsOf } from './purging.ts';

const bench = useDatabaseBench({ role: 'worker', maxConnections: 6 });
const { removal, prepare, imported, disconnecting, removalRow } = createPurging(bench);

const KEY = new Secret('k'.repeat(64));

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
    await prepare(tenant, importId);
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
      await prepare(tenant, next);
      return (await tenant.repositoryRows(next)).map(({ id }) => id).toSorted();
    };
    expect(await chosen({ all: true })).toEqual([stays]);
    expect(await chosen({ repositories: [gone] })).toEqual([gone]);
    expect(await chosen({ all: true })).toEqual(ids);
  });
});
