import { randomBytes } from 'node:crypto';
import postgres from 'postgres';
import { inject } from 'vitest';
import { migrate } from '../../db/migrate.ts';
import { API_ROLE, OWNER_ROLE, provision, WORKER_ROLE } from '../../db/provision.ts';

/** A migrated database of one test file's own. */
export interface TestDatabase {
  readonly name: string;
  readonly superuserUrl: string;
  /** The role that migrates and owns the tables. Not a superuser: row-level security binds it too. */
  readonly ownerUrl: string;
  readonly apiUrl: string;
  readonly workerUrl: string;
  /** Removes the database, whoever is still connected. */
  drop(): Promise<void>;
}

const TEMPLATE = 'bucket_brigade_template';

function urlOf(server: string, database: string, role?: string, password?: string): string {
  const url = new URL(server);
  url.pathname = database;
  if (role !== undefined && password !== undefined) {
    url.username = role;
    url.password = password;
  }
  return url.href;
}

async function withSuperuser<T>(work: (sql: postgres.Sql) => Promise<T>): Promise<T> {
  const sql = postgres(inject('servers').postgresUrl, { max: 1, onnotice: () => {} });
  try {
    return await work(sql);
  } finally {
    await sql.end();
  }
}

/**
 * Makes the template once a run: the first test file runs the project's own provisioning and migrations, the others
 * wait for it. It gets its name last, so that a failed migration leaves nothing that could be cloned.
 */
async function ensureTemplate(sql: postgres.Sql): Promise<void> {
  const { postgresUrl, rolePasswords } = inject('servers');
  await sql`select pg_advisory_lock(hashtext('bucket brigade test template'))`;
  try {
    const [found] = await sql`select 1 from pg_database where datname = ${TEMPLATE}`;
    if (found !== undefined) return;
    const unfinished = `${TEMPLATE}_unfinished`;
    await sql`drop database if exists ${sql(unfinished)}`;
    await provision({ adminUrl: postgresUrl, database: unfinished, passwords: rolePasswords });
    await migrate({ ownerUrl: urlOf(postgresUrl, unfinished, OWNER_ROLE, rolePasswords.owner) });
    await sql`alter database ${sql(unfinished)} rename to ${sql(TEMPLATE)}`;
  } finally {
    await sql`select pg_advisory_unlock(hashtext('bucket brigade test template'))`;
  }
}

/**
 * Clones a fresh database with the newest schema and no rows, in about 50 ms. Call it in `beforeAll` and `drop` it in
 * `afterAll`.
 */
export async function createTestDatabase(): Promise<TestDatabase> {
  const { postgresUrl, rolePasswords } = inject('servers');
  const name = `test_${randomBytes(8).toString('hex')}`;
  await withSuperuser(async (sql) => {
    await ensureTemplate(sql);
    await sql`create database ${sql(name)} template ${sql(TEMPLATE)} owner ${sql(OWNER_ROLE)}`;
  });
  return {
    name,
    superuserUrl: urlOf(postgresUrl, name),
    ownerUrl: urlOf(postgresUrl, name, OWNER_ROLE, rolePasswords.owner),
    apiUrl: urlOf(postgresUrl, name, API_ROLE, rolePasswords.api),
    workerUrl: urlOf(postgresUrl, name, WORKER_ROLE, rolePasswords.worker),
    drop: () => withSuperuser(async (sql) => void (await sql`drop database ${sql(name)} with (force)`)),
  };
}
