import { MockActivityEnvironment } from '@temporalio/testing';
import { v7 as uuid } from 'uuid';
import { expect, test } from 'vitest';
import { createImportActivities } from '../../../activities/imports/imports.ts';
import { listKept } from '../../../db/queries/poll/keptRepositories.ts';
import type { Transaction } from '../../../db/client.ts';
import { insertAutoImport } from '../../../db/queries/autoImport.ts';
import { chooseRepositories } from '../../../db/queries/importSelection.ts';
import { insertRemoval } from '../../../db/queries/removal/progress.ts';
import { markRemoved } from '../../../db/queries/removal/repositories.ts';
import { useDatabaseBench } from '../../support/databaseBench.ts';
import type { TestTenant } from '../../support/integrationRows.ts';
import { waitFor } from '../../support/waitFor.ts';

/** Which of several integrations keeps a repository current. */
const bench = useDatabaseBench({ role: 'worker', maxConnections: 4 });

async function importAll(tenant: TestTenant): Promise<void> {
  const { organizationId, integrationId } = tenant;
  const importId = await tenant.storeImport({ all: true });
  const imports = createImportActivities({ database: bench.database, isRunning: async () => false });
  await new MockActivityEnvironment().run(() =>
    imports.prepareImport({ organizationId, integrationId, importId }),
  );
  await bench.sql`update repositories set first_imported_at = now() where organization_id = ${organizationId}`;
}

const become = ({ integrationId }: TestTenant, state: string) =>
  bench.sql`update integrations set state = ${state} where id = ${integrationId}`;

const isKeptBy = async ({ organizationId, integrationId }: TestTenant): Promise<boolean> => {
  const of = { organizationId, integrationId, after: null, limit: 10 };
  return (await bench.database.transaction(organizationId, (tx) => listKept(tx, of))).length > 0;
};

/** Two integrations that see one repository; the first has imported it. */
async function pair(): Promise<[TestTenant, TestTenant]> {
  const first = await bench.tenant('active');
  await first.repositories(1);
  await importAll(first);
  return [first, await first.sibling()];
}

test('an import takes over from an integration that needs a credential, which later takes nothing back', async () => {
  const [first, second] = await pair();
  await become(first, 'needs_credential');
  await importAll(second);
  expect([await isKeptBy(first), await isKeptBy(second)]).toEqual([false, true]);
  await become(first, 'active');
  await importAll(first);
  expect([await isKeptBy(first), await isKeptBy(second)]).toEqual([false, true]);
  await become(second, 'needs_credential');
  await importAll(first);
  expect([await isKeptBy(first), await isKeptBy(second)]).toEqual([true, false]);
});

test.each(['gone', 'no_access'])(
  'an import takes over from an integration that lost sight of the repository (%s), which later takes nothing back',
  async (presence) => {
    const [first, second] = await pair();
    const see = (as: string) => bench.sql`
      update integration_repositories set presence = ${as} where integration_id = ${first.integrationId}`;
    await see(presence);
    await importAll(second);
    expect([await isKeptBy(first), await isKeptBy(second)]).toEqual([false, true]);
    await see('present');
    await importAll(first);
    expect([await isKeptBy(first), await isKeptBy(second)]).toEqual([false, true]);
  },
);

test.each(['active', 'paused'])(
  'an import takes over from an integration that is %s and brings in less: nobody would keep the rest current',
  async (state) => {
    const [first, second] = await pair();
    await bench.sql`update integrations set services = '{repositories}' where id = ${first.integrationId}`;
    await become(first, state);
    await importAll(second);
    expect([await isKeptBy(first), await isKeptBy(second)]).toEqual([false, true]);
    await become(first, 'active');
    await importAll(first);
    expect([await isKeptBy(first), await isKeptBy(second)]).toEqual([false, true]);
  },
);

test.each([
  ['is active', 'active', '{repositories,pull_requests,tickets}'],
  ['was paused by a person', 'paused', '{repositories,pull_requests,tickets}'],
  ['brings in more', 'needs_credential', '{repositories,pull_requests}'],
  ['brings in more, and is active', 'active', '{repositories,pull_requests}'],
])('an import leaves a repository to an integration that %s', async (_, state, services) => {
  const [first, second] = await pair();
  await become(first, state);
  await bench.sql`update integrations set services = ${services} where id = ${second.integrationId}`;
  await importAll(second);
  expect([await isKeptBy(first), await isKeptBy(second)]).toEqual([true, false]);
});

/** Runs `second` while `first` has not committed yet. */
async function atOnce(
  tenant: TestTenant,
  first: (tx: Transaction) => Promise<unknown>,
  second: (tx: Transaction) => Promise<unknown>,
): Promise<void> {
  let behind: Promise<unknown> | undefined;
  await bench.inTenant(tenant, async (tx) => {
    await first(tx);
    behind = bench.inTenant(tenant, second);
    await waitFor({
      what: 'the second waits for the first',
      read: () => bench.sql`select from pg_stat_activity
        where datname = current_database() and cardinality(pg_blocking_pids(pid)) > 0`,
      until: ({ length }) => length > 0,
    });
  });
  await behind;
}

/** An organization with three repositories that two integrations see; nobody has imported them. */
async function rivals() {
  const first = await bench.tenant('active');
  const ids = await first.repositories(3);
  const both = [first, await first.sibling()] as const;
  const choose = async (tenant: TestTenant, selection: Record<string, unknown> = { all: true }) => {
    const importId = await tenant.storeImport(selection);
    return (tx: Transaction) => chooseRepositories(tx, { importId, integrationId: tenant.integrationId });
  };
  const owners = async () =>
    bench.sql<
      { id: string }[]
    >`select distinct integration_id as id from repositories where id = any (${ids})`;
  return { first, both, ids, choose, owners };
}

test('two imports of one organization begin at once: the first fetches, and Postgres outlives it', async () => {
  const { first, both, choose, owners } = await rivals();
  const [one, other] = [await choose(both[0]), await choose(both[1])];
  await atOnce(first, one, other);
  expect(await owners()).toEqual([{ id: both[0].integrationId }]);
});

test('an import begins while discovery imports the same repositories by a rule', async () => {
  const { first, both, ids, choose, owners } = await rivals();
  const { organizationId, integrationId } = both[1];
  await atOnce(first, await choose(both[0]), (tx) =>
    insertAutoImport(tx, { organizationId, integrationId }, { importId: uuid(), repositoryIds: ids }),
  );
  expect(await owners()).toEqual([{ id: both[0].integrationId }]);
});

test.each(['all of them', 'each by its name'])(
  'an import of %s that begins while a person removes a repository leaves it removed, and takes the others',
  async (which) => {
    const { first, ids, choose } = await rivals();
    const { organizationId, integrationId } = first;
    const [repositoryId, ...others] = ids as [string, ...string[]];
    const selection = which === 'all of them' ? { all: true } : { repositories: ids };
    const remove = async (tx: Transaction) => {
      await markRemoved(tx, repositoryId);
      await insertRemoval(tx, { organizationId, repositoryId }, { apiKeyId: uuid(), actingUser: null });
    };
    await atOnce(first, remove, await choose(first, selection));
    const taken = await bench.sql<{ id: string }[]>`
      select repository_id as id from import_repositories where organization_id = ${organizationId}`;
    expect(taken.map(({ id }) => id).toSorted()).toEqual(others.toSorted());
    const fetched = await bench.sql<{ id: string }[]>`
      select id from repositories where integration_id = ${integrationId} and removed_at is null`;
    expect(fetched.map(({ id }) => id).toSorted()).toEqual(others.toSorted());
    const [removed] =
      await bench.sql`select removed_at, integration_id from repositories where id = ${repositoryId}`;
    expect(removed).toEqual({ removed_at: expect.any(Date), integration_id: null });
  },
);
