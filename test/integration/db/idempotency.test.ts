import postgres from 'postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createDatabase, type Database } from '../../../db/client.ts';
import {
  claimIdempotencyKey,
  keepIdempotentAnswer,
  releaseIdempotencyKey,
} from '../../../db/queries/api/idempotency.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';
import { createTenant } from '../../support/integrationRows.ts';

let testDatabase: TestDatabase;
let database: Database;
let sql: postgres.Sql;
beforeAll(async () => {
  testDatabase = await createTestDatabase();
  sql = postgres(testDatabase.superuserUrl, { max: 1, onnotice: () => {} });
  database = createDatabase({ url: testDatabase.apiUrl, maxConnections: 2, applicationName: 'idempotency' });
});
afterAll(async () => {
  await database.end();
  await sql.end();
  await testDatabase.drop();
});

test('a request that lost its claim to a repetition neither releases nor answers it', async () => {
  const { organizationId } = await createTenant(sql);
  const request = { organizationId, key: 'key', operation: 'POST /', fingerprint: Buffer.from('same') };
  const claim = () => database.transaction(organizationId, (tx) => claimIdempotencyKey(tx, request));
  const slow = await claim();
  await sql`update idempotency_keys set created_at = created_at - interval '2 minutes'`;
  const again = await claim();
  if (slow.state !== 'claimed' || again.state !== 'claimed') throw new Error('both must have been claimed');
  const answer = (body: string) => ({ headers: {}, body });
  await database.transaction(organizationId, async (tx) => {
    await releaseIdempotencyKey(tx, { key: 'key', since: slow.since });
    await keepIdempotentAnswer(tx, { key: 'key', since: slow.since, status: 500, answer: answer('slow') });
  });
  expect(await claim()).toEqual({ state: 'under_way' });
  await database.transaction(organizationId, (tx) =>
    keepIdempotentAnswer(tx, { key: 'key', since: again.since, status: 202, answer: answer('again') }),
  );
  expect(await claim()).toEqual({ state: 'answered', status: 202, answer: answer('again') });
});
