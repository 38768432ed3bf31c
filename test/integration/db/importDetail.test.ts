import { afterAll, beforeAll, expect, test } from 'vitest';
import postgres from 'postgres';
import { createImportReader } from '../../../api/importDetail.ts';
import { createDatabase, type Database } from '../../../db/client.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';
import { createTenant } from '../../support/integrationRows.ts';

let testDatabase: TestDatabase;
let sql: postgres.Sql;
let database: Database;
beforeAll(async () => {
  testDatabase = await createTestDatabase();
  sql = postgres(testDatabase.superuserUrl, { max: 2, onnotice: () => {} });
  database = createDatabase({ url: testDatabase.apiUrl, maxConnections: 2, applicationName: 'detail' });
});
afterAll(async () => {
  await database.end();
  await sql.end();
  await testDatabase.drop();
});

/** An import of so many repositories, of which each has stored one pull request. */
async function running(count: number) {
  const tenant = await createTenant(sql, 'active');
  const ids = await tenant.repositories(count);
  const importId = await tenant.storeImport({ all: true });
  const { organizationId } = tenant;
  await sql`update imports set state = 'running', started_at = now(), repositories_total = ${count} where id = ${importId}`;
  await sql`insert into import_repositories (organization_id, import_id, repository_id, place, state)
    select ${organizationId}, ${importId}, id, place, 'running' from unnest(${ids}::uuid[]) with ordinality as of (id, place)`;
  await sql`insert into import_streams (organization_id, import_id, repository_id, stream, state, records_stored, started_at)
    select ${organizationId}, ${importId}, id, 'pull_requests', 'processing', 1, now() from unnest(${ids}::uuid[]) as of (id)`;
  const more = () => sql`update import_streams set records_stored = 2 where import_id = ${importId}`;
  return { organizationId, importId, more };
}

/** A clock that moves a second with each look: adding up took a second. */
function createReader() {
  let now = 0;
  const read = createImportReader({ nowMs: () => (now += 1_000) });
  return {
    stored: async ({ organizationId, importId }: { organizationId: string; importId: string }) =>
      (await database.transaction(organizationId, (tx) => read(tx, importId)))?.streams[0]?.stored,
    wait: (ms: number) => void (now += ms),
  };
}

test('of few repositories every look adds up', async () => {
  const few = await running(500);
  const reader = createReader();
  expect(await reader.stored(few)).toBe(500);
  await few.more();
  expect(await reader.stored(few)).toBe(1_000);
});

test('what took a second to add up is kept for twenty, and no longer than the state stays', async () => {
  const many = await running(501);
  const reader = createReader();
  expect(await reader.stored(many)).toBe(501);
  await many.more();
  expect(await reader.stored(many)).toBe(501);
  reader.wait(20_000);
  expect(await reader.stored(many)).toBe(1_002);
  await sql`update import_streams set records_stored = 3 where import_id = ${many.importId}`;
  expect(await reader.stored(many)).toBe(1_002);
  await sql`update imports set state = 'completed', finished_at = now() where id = ${many.importId}`;
  expect(await reader.stored(many)).toBe(1_503);
});

test('another organization does not see what is remembered', async () => {
  const many = await running(501);
  const other = await createTenant(sql, 'active');
  const reader = createReader();
  expect(await reader.stored(many)).toBe(501);
  const foreign = { organizationId: other.organizationId, importId: many.importId };
  expect(await reader.stored(foreign)).toBeUndefined();
});
