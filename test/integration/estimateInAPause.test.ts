import { v7 as uuid } from 'uuid';
import { expect, test } from 'vitest';
import type { BitbucketAnswer } from '../../activities/bitbucket/client.ts';
import { createEstimateQuestions } from '../../activities/estimate/askRepositories.ts';
import { createEstimateRows } from '../../activities/estimate/estimateRows.ts';
import { inActivity } from '../support/bitbucketEngine.ts';
import { useDatabaseBench } from '../support/databaseBench.ts';

const bench = useDatabaseBench({ role: 'worker' });

test('a pause ends an estimate before its next question, and says so', async () => {
  const tenant = await bench.tenant('active');
  await tenant.repositories(3);
  const { organizationId, integrationId } = tenant;
  const of = { organizationId, integrationId, estimateId: uuid() };
  const { credentialId } = await tenant.credential();
  await bench.sql`update integrations set credential_id = ${credentialId} where id = ${integrationId}`;
  await bench.sql`insert into import_estimates (id, organization_id, integration_id, mode, selection)
    values (${of.estimateId}, ${organizationId}, ${integrationId}, 'changed', '{"all": true}')`;
  const { database } = bench;
  await createEstimateRows({ database }).beginEstimate(of);
  let asked = 0;
  const client = {
    async get(): Promise<BitbucketAnswer> {
      asked += 1;
      await bench.sql`update integrations set state = 'paused' where id = ${integrationId}`;
      const json = { size: 0, values: [] };
      const observedAt = new Date().toISOString();
      return { status: 200, json, bytes: new Uint8Array(), observedAt, date: undefined, scopes: {} };
    },
  };
  const questions = createEstimateQuestions({ database, client });
  await expect(inActivity(() => questions.estimateChunk(of))).rejects.toMatchObject({
    type: 'estimate_paused',
    finding: { code: 'paused' },
    retry: { kind: 'never' },
  });
  expect(asked).toBe(1);
});
