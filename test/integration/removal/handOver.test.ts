import { expect, test } from 'vitest';
import { listMissed } from '../../../db/queries/poll/keptRepositories.ts';
import { useDatabaseBench } from '../../support/databaseBench.ts';
import { rowsLeft } from '../../support/importedRows.ts';
import { createPurging, idsOf } from './purging.ts';

/** What of an integration that is removed goes to others of its organization. */
const bench = useDatabaseBench({ role: 'worker', maxConnections: 6 });
const { removal, prepare, imported, disconnecting } = createPurging(bench);

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
  await prepare(sibling, importId);
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
  await prepare(sibling, importId);
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
