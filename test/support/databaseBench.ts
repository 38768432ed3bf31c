import postgres from 'postgres';
import { afterAll, beforeAll } from 'vitest';
import { createDatabase, type Database, type Transaction } from '../../db/client.ts';
import type { IntegrationState } from '../../workflows/words.ts';
import { createTestDatabase, type TestDatabase } from './database.ts';
import { createTenant, type TestTenant } from './integrationRows.ts';

/** A database of the test file's own, as one of the processes reaches it, and rows of tenants in it. */
export interface DatabaseBench {
  readonly testDatabase: TestDatabase;
  /** with the role of the process: row-level security binds it */
  readonly database: Database;
  /** as a superuser: no tenant is set */
  readonly sql: postgres.Sql;
  tenant(state?: IntegrationState): Promise<TestTenant>;
  /** A transaction of the process in the name of a tenant. */
  inTenant<T>(tenant: TestTenant, work: (tx: Transaction) => Promise<T>): Promise<T>;
}

/** Called at the top of a test file: opens before its tests, closes behind them. */
export function useDatabaseBench({
  role,
  maxConnections = 2,
}: {
  role: 'api' | 'worker';
  maxConnections?: number;
}): DatabaseBench {
  let testDatabase: TestDatabase;
  let database: Database;
  let sql: postgres.Sql;

  beforeAll(async () => {
    testDatabase = await createTestDatabase();
    sql = postgres(testDatabase.superuserUrl, { max: 4, onnotice: () => {} });
    const url = role === 'api' ? testDatabase.apiUrl : testDatabase.workerUrl;
    database = createDatabase({ url, maxConnections, applicationName: 'database-test' });
  });

  afterAll(async () => {
    await database.end();
    await sql.end();
    await testDatabase.drop();
  });

  return {
    get testDatabase() {
      return testDatabase;
    },
    get database() {
      return database;
    },
    get sql() {
      return sql;
    },
    tenant: (state) => createTenant(sql, state),
    inTenant: ({ organizationId }, work) => database.transaction(organizationId, work),
  };
}
