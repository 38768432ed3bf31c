import { v7 as uuid } from 'uuid';
import { expect, test } from 'vitest';
import { createIntegrationActivities } from '../../../activities/integrations/integrations.ts';
import { createDatabase } from '../../../db/client.ts';
import { markWoken } from '../../../worker/wakeWaiting.ts';
import { importRepositoryWorkflowId } from '../../../workflows/ids.ts';
import { useDatabaseBench } from '../../support/databaseBench.ts';

const bench = useDatabaseBench({ role: 'worker' });

test('with another credential, all that waits for the allowance of the former is woken, and nothing of others', async () => {
  const tenant = await bench.tenant('active');
  const stranger = await bench.tenant('active');
  const { integrationId, organizationId } = tenant;
  const [repositoryId] = await tenant.repositories(1);
  const importId = await tenant.storeImport({ all: true });
  const syncId = uuid();
  const estimateId = uuid();
  await bench.sql`insert into imports (id, organization_id, integration_id, mode, selection, kind, state)
    values (${syncId}, ${organizationId}, ${integrationId}, 'changed', '{}', 'sync', 'running')`;
  await bench.sql`insert into import_repositories (organization_id, import_id, repository_id, place, state)
    values (${organizationId}, ${syncId}, ${repositoryId!}, 1, 'rate_limited')`;
  await bench.sql`insert into import_estimates (id, organization_id, integration_id, mode, selection, state)
    values (${estimateId}, ${organizationId}, ${integrationId}, 'changed', '{}', 'rate_limited')`;
  const own: [consumer: string, waiter: string][] = [
    [importId, 'an import'],
    [`discovery/${integrationId}`, 'discovery'],
    [`poll/${integrationId}`, 'poll'],
    [`webhooks/${integrationId}`, 'webhooks'],
    [`estimate/${estimateId}`, 'estimate'],
    ['live', importRepositoryWorkflowId(repositoryId!)],
  ];
  const others: [string, string][] = [
    ['live', importRepositoryWorkflowId(uuid())],
    [`poll/${stranger.integrationId}`, 'poll of another'],
  ];
  for (const [consumer, waiter] of [...own, ...others]) {
    await bench.sql`insert into request_waits (account_key, limit_group, waiter, consumer, since, until)
      values ('{former}', 'repository_data', ${waiter}, ${consumer}, now(), now() + interval '1 day')`;
  }
  const { credentialId, checkId } = await tenant.credential();
  const database = createDatabase({
    url: bench.testDatabase.workerUrl,
    maxConnections: 1,
    applicationName: 'adopting',
  });
  const activities = createIntegrationActivities({ database });
  await activities.adoptCredential({ organizationId, integrationId, checkId, credentialId });
  const woken = await markWoken(database);
  await database.end();
  expect([...woken].toSorted()).toEqual(own.map(([, waiter]) => waiter).toSorted());
});
