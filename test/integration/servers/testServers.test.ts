import { Connection } from '@temporalio/client';
import postgres from 'postgres';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { SEARCH_ATTRIBUTES } from '../../../workflows/searchAttributes.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';

describe('the servers of a test run', () => {
  let database: TestDatabase;

  beforeAll(async () => {
    database = await createTestDatabase();
  });
  afterAll(() => database.drop());

  async function roleOf(url: string): Promise<{ name: string; superuser: boolean; bypass: boolean }> {
    const sql = postgres(url, { max: 1 });
    try {
      const [row] = await sql<[{ name: string; superuser: boolean; bypass: boolean }]>`
        select rolname as name, rolsuper as superuser, rolbypassrls as bypass from pg_roles where rolname = current_user`;
      return row;
    } finally {
      await sql.end();
    }
  }

  it('gives a migrated database, and roles that row-level security binds', async () => {
    for (const url of [database.ownerUrl, database.apiUrl, database.workerUrl]) {
      expect(await roleOf(url)).toMatchObject({ superuser: false, bypass: false });
    }
    const sql = postgres(database.superuserUrl, { max: 1 });
    const tables =
      await sql`select relname from pg_class where relname = 'pull_requests' and relrowsecurity and relforcerowsecurity`;
    await sql.end();
    expect(tables).toHaveLength(1);
  });

  it('gives databases of their own to files that ask at the same time', async () => {
    const others = await Promise.all([createTestDatabase(), createTestDatabase(), createTestDatabase()]);
    expect(new Set(others.map(({ name }) => name)).size).toBe(3);
    await Promise.all(others.map((other) => other.drop()));
  });

  it('gives a Temporal namespace with every search attribute', async () => {
    const { temporalAddress, temporalNamespace } = inject('servers');
    const connection = await Connection.connect({ address: temporalAddress });
    const { customAttributes } = await connection.operatorService.listSearchAttributes({
      namespace: temporalNamespace,
    });
    await connection.close();
    expect(Object.keys(customAttributes ?? {})).toEqual(
      expect.arrayContaining(SEARCH_ATTRIBUTES.map(({ name }) => name)),
    );
  });
});
