import { v7 as uuid } from 'uuid';
import { expect, test } from 'vitest';
import { createLogger } from '../../platform/log.ts';
import { beginUnbegun } from '../../worker/beginUnbegun.ts';
import { quarantineRetryWorkflowId } from '../../workflows/ids.ts';
import { untilImport } from '../support/importBench.ts';
import { catchUpsOf, changeServices } from '../support/servicesBench.ts';
import { importedRepository } from '../support/syncBench.ts';
import {
  actor,
  type BenchRun,
  handleOf,
  integrationGoesOn,
  useWorkflowBench,
} from '../support/workflowBench.ts';

const bench = useWorkflowBench();
const log = createLogger({ service: 'worker', level: 'silent' });
const pass = ({ client, taskQueue }: BenchRun) =>
  beginUnbegun({ database: bench.database, client, taskQueue, log });

test('an import that a request stored and no run has begun is brought in, though the run of its integration is lost too; a young one is left to its request', async () => {
  const tenant = await bench.tenant('active');
  await tenant.repositories(1);
  const [left, young] = [await tenant.storeImport({ all: true }), await tenant.storeImport({ all: true })];
  await bench.sql`update imports set started_by_key = ${actor.apiKeyId},
    created_at = now() - case id when ${left} then interval '121 seconds' else interval '100 seconds' end
    where integration_id = ${tenant.integrationId}`;
  await bench.run(async (run) => {
    expect(await pass(run)).toEqual({ imports: 1, retries: 0 });
    await untilImport(tenant, left, 'completed', 60_000);
    expect(await tenant.importRow(young)).toMatchObject({ state: 'pending' });
    expect(await pass(run)).toEqual({ imports: 0, retries: 0 });
  }, integrationGoesOn(tenant));
});

test('services that were switched on catch up, though the run of the integration was lost behind storing them', async () => {
  const tenant = await bench.tenant('active');
  await importedRepository(bench, tenant);
  await bench.run(async (run) => {
    await changeServices(run, tenant, ['repositories']);
    bench.meanwhile('saveIntegration', { behind: () => handleOf(run.client, tenant).terminate('by a test') });
    await changeServices(run, tenant, ['repositories', 'tickets']).catch(() => {});
    expect((await tenant.snapshot()).services).toEqual(['repositories', 'tickets']);
    const [catchUp] = await catchUpsOf(bench.sql, tenant);
    expect(catchUp).toMatchObject({ state: 'pending', services: ['tickets'], mode: 'changed' });
    await bench.sql`update imports set created_at = now() - interval '121 seconds' where id = ${catchUp!.id}`;
    expect(await pass(run)).toEqual({ imports: 1, retries: 0 });
    await untilImport(tenant, catchUp!.id, 'completed', 60_000);
  }, integrationGoesOn(tenant));
});

test('a retry of quarantined records that no run has begun runs, and ends', async () => {
  const tenant = await bench.tenant('active');
  const retryId = uuid();
  await bench.sql`insert into quarantine_retries (id, organization_id, integration_id, filter, created_at)
    values (${retryId}, ${tenant.organizationId}, ${tenant.integrationId}, '{}', now() - interval '121 seconds')`;
  await bench.run(async (run) => {
    expect(await pass(run)).toEqual({ imports: 0, retries: 1 });
    await run.client.workflow.getHandle(quarantineRetryWorkflowId(retryId)).result();
    expect(await bench.sql`select state from quarantine_retries where id = ${retryId}`).toEqual([
      { state: 'done' },
    ]);
    expect(await pass(run)).toEqual({ imports: 0, retries: 0 });
  });
});
