import { Client, Connection } from '@temporalio/client';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { createPollActivities } from '../../activities/poll/polls.ts';
import { presentPolling } from '../../api/schemas/polling.ts';
import { createDatabase, type Database } from '../../db/client.ts';
import { readPolling } from '../../db/queries/api/polls.ts';
import { useDatabaseBench } from '../support/databaseBench.ts';
import type { TestTenant } from '../support/integrationRows.ts';

/** Polling may spend a share of an account's allowance, however many integrations poll with that account. */
const bench = useDatabaseBench({ role: 'worker' });
const HOUR_MS = 3_600_000;
const QUARTER_MS = HOUR_MS / 4;
const LIMIT = 1_000;

let api: Database;
let polls: ReturnType<typeof createPollActivities>;
let connection: Connection;
beforeAll(() => {
  const { temporalAddress: address, temporalNamespace: namespace } = inject('servers');
  connection = Connection.lazy({ address });
  const client = new Client({ connection, namespace });
  api = createDatabase({
    url: bench.testDatabase.apiUrl,
    maxConnections: 1,
    applicationName: 'polls of an account',
  });
  polls = createPollActivities({
    database: bench.database,
    client,
    taskQueue: 'nobody-polls',
    intervalMs: QUARTER_MS,
    discovery: { intervalMs: 0, goneAfterMs: HOUR_MS },
  });
});
afterAll(async () => {
  await api.end();
  await connection.close();
});

/** An integration with something to keep current, that polls with this account. */
async function pollsWith(account: string, tenant: TestTenant, repositoryId?: string): Promise<TestTenant> {
  const { credentialId } = await tenant.credential();
  await bench.sql`update credentials set account_key = ${account} where id = ${credentialId}`;
  await bench.sql`update integrations set credential_id = ${credentialId} where id = ${tenant.integrationId}`;
  const [id] = repositoryId === undefined ? await tenant.repositories(1) : [repositoryId];
  await bench.sql`update repositories set integration_id = ${tenant.integrationId}, first_imported_at = now()
    where id = ${id!}`;
  return tenant;
}

const limitOf = (account: string, limit: number | null) =>
  bench.sql`insert into request_limits (account_key, limit_group, default_limit)
    values (${account}, 'repository_data', ${limit})`;

async function round(tenant: TestTenant, requests: number): Promise<void> {
  const ids = { organizationId: tenant.organizationId, integrationId: tenant.integrationId };
  expect(await polls.beginPoll({ ...ids, atOnce: true })).toMatchObject({ due: true });
  await polls.finishPoll({ ...ids, requests, found: 0, error: null });
}

const isDue = async ({ organizationId, integrationId }: TestTenant) =>
  (await polls.beginPoll({ organizationId, integrationId, atOnce: false })).due;

/** Seconds between two rounds, as the API shows them. */
async function shown({ organizationId, integrationId }: TestTenant): Promise<number | null> {
  const row = await api.transaction(organizationId, (tx) => readPolling(tx, integrationId));
  return row === null ? null : presentPolling(row).effective_interval_seconds;
}

test('two integrations of one organization and account spend the share together, not each', async () => {
  const first = await pollsWith('account-1', await bench.tenant('active'));
  const second = await first.sibling();
  const [repositoryId] = await bench.sql<{ id: string }[]>`
    insert into repositories (id, organization_id, workspace_id, provider_uuid, slug, name, full_name, is_private, raw,
      observed_at)
    select gen_random_uuid(), organization_id, workspace_id, 'other', 'other', 'other', 'acme/other', true, '{}', now()
    from repositories where integration_id = ${first.integrationId} returning id`;
  await limitOf('account-1', LIMIT);
  await pollsWith('account-1', second, repositoryId!.id);
  await round(first, 150);
  expect(await shown(first)).toBe(1_800);
  await round(second, 150);
  await round(first, 150);
  expect([await shown(first), await shown(second)]).toEqual([3_600, 3_600]);
});

test('of different organizations too, and of another account none counts', async () => {
  const [first, second, stranger] = [
    await pollsWith('account-2', await bench.tenant('active')),
    await pollsWith('account-2', await bench.tenant('active')),
    await pollsWith('account-3', await bench.tenant('active')),
  ];
  await limitOf('account-2', LIMIT);
  await limitOf('account-3', LIMIT);
  await round(stranger, 300);
  await round(first, 30);
  await round(second, 300);
  expect(await shown(second)).toBe(3_960);
  expect(await shown(stranger)).toBe(3_600);
});

test('one that polls little waits for the other from its next turn on, and that is shown', async () => {
  const [little, much] = [
    await pollsWith('account-4', await bench.tenant('active')),
    await pollsWith('account-4', await bench.tenant('active')),
  ];
  await limitOf('account-4', LIMIT);
  await round(little, 10);
  await round(much, 290);
  await bench.sql`update integration_polls set last_started_at = now() - interval '20 minutes'
    where integration_id = ${little.integrationId}`;
  expect(await shown(little)).toBe(900);
  expect(await isDue(little)).toBe(false);
  expect(await shown(little)).toBe(3_600);
});

test('one that is paused, and one without rounds for days, leave their part to the others', async () => {
  const [first, paused, resting] = [
    await pollsWith('account-5', await bench.tenant('active')),
    await pollsWith('account-5', await bench.tenant('active')),
    await pollsWith('account-5', await bench.tenant('active')),
  ];
  await limitOf('account-5', LIMIT);
  await round(paused, 300);
  await round(resting, 300);
  await bench.sql`update integrations set state = 'paused' where id = ${paused.integrationId}`;
  await bench.sql`update integration_polls set last_started_at = now() - interval '2 days'
    where integration_id = ${resting.integrationId}`;
  await round(first, 150);
  expect(await shown(first)).toBe(1_800);
});

test('where no limit is known the interval is as it was asked for', async () => {
  const [first, second] = [
    await pollsWith('account-6', await bench.tenant('active')),
    await pollsWith('account-6', await bench.tenant('active')),
  ];
  await limitOf('account-6', null);
  await round(first, 9_000);
  await round(second, 9_000);
  expect(await shown(second)).toBe(900);
});
