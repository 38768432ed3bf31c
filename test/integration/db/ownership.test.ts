import { MockActivityEnvironment } from '@temporalio/testing';
import { expect, test } from 'vitest';
import { createImportActivities } from '../../../activities/imports.ts';
import { listKept } from '../../../db/queries/poll/keptRepositories.ts';
import { useDatabaseBench } from '../../support/databaseBench.ts';
import type { TestTenant } from '../../support/integrationRows.ts';

/** Which of several integrations keeps a repository current. */
const bench = useDatabaseBench({ role: 'worker' });

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

test.each([
  ['is active', 'active', '{repositories,pull_requests,tickets}'],
  ['was paused by a person', 'paused', '{repositories,pull_requests,tickets}'],
  ['brings in more', 'needs_credential', '{repositories,pull_requests}'],
])('an import leaves a repository to an integration that %s', async (_, state, services) => {
  const [first, second] = await pair();
  await become(first, state);
  await bench.sql`update integrations set services = ${services} where id = ${second.integrationId}`;
  await importAll(second);
  expect([await isKeptBy(first), await isKeptBy(second)]).toEqual([true, false]);
});
