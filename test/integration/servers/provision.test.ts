import { randomBytes } from 'node:crypto';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import postgres from 'postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { migrate } from '../../../db/migrate.ts';
import { API_ROLE, OWNER_ROLE, provision, WORKER_ROLE } from '../../../db/provision.ts';
import { type RunningPostgres, startPostgres } from '../../../scripts/servers/embeddedPostgres.ts';

function password(): string {
  return randomBytes(8).toString('hex');
}

const passwordsOfRoles = () => ({ owner: password(), api: password(), worker: password() });

/** Roles are a server's: this one has its superuser, and a role such as one gets of a managed Postgres. */
let folder: string;
let server: RunningPostgres;
const secret = password();
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'provision-'));
  await chmod(folder, 0o755);
  server = await startPostgres({ folder: join(folder, 'postgres'), persistent: false, log: () => {} });
  await query(server.url, `create role managed login password '${secret}' createdb createrole`);
});
afterAll(async () => {
  await server.stop();
  await rm(folder, { recursive: true, force: true });
});

function urlOf(role: string, secretOfRole: string, database: string): string {
  const url = new URL(server.url);
  url.username = role;
  url.password = secretOfRole;
  url.pathname = database;
  return url.href;
}

async function query<T extends object>(url: string, text: string): Promise<T[]> {
  const sql = postgres(url, { max: 1 });
  try {
    return await sql.unsafe<T[]>(text);
  } finally {
    await sql.end();
  }
}

test('a role that may create roles and databases, and no more, makes them all, and again with other passwords', async () => {
  const adminUrl = urlOf('managed', secret, 'postgres');
  const again = passwordsOfRoles();
  for (const passwords of [passwordsOfRoles(), again]) {
    await provision({ adminUrl, database: 'bucket_brigade', passwords });
    await migrate({ ownerUrl: urlOf(OWNER_ROLE, passwords.owner, 'bucket_brigade') });
  }
  for (const url of [
    urlOf(API_ROLE, again.api, 'bucket_brigade'),
    urlOf(WORKER_ROLE, again.worker, 'bucket_brigade'),
  ]) {
    expect(await query(url, 'select from request_limits')).toEqual([]);
  }
  const mighty = `select rolname from pg_roles where rolname like 'bucket%'
    and (rolsuper or rolcreatedb or rolcreaterole or rolbypassrls)`;
  expect(await query(server.url, mighty)).toEqual([]);
});

test('where a start was cut off behind the roles, the next makes the database', async () => {
  const passwords = passwordsOfRoles();
  const options = { adminUrl: urlOf('managed', secret, 'postgres'), database: 'another', passwords };
  await query(server.url, 'alter role managed nocreatedb');
  await expect(provision(options)).rejects.toThrow('permission denied to create database');
  await query(server.url, 'alter role managed createdb');
  await provision(options);
  expect(await query(urlOf(OWNER_ROLE, passwords.owner, 'another'), 'select 1 as one')).toEqual([{ one: 1 }]);
});

test('rights that a role of ours must not have are taken from it by a superuser', async () => {
  const options = { adminUrl: server.url, database: 'bucket_brigade', passwords: passwordsOfRoles() };
  await provision(options);
  await query(server.url, `alter role ${WORKER_ROLE} createdb bypassrls`);
  await provision(options);
  const [role] = await query(
    server.url,
    `select rolcreatedb, rolbypassrls from pg_roles where rolname = '${WORKER_ROLE}'`,
  );
  expect(role).toEqual({ rolcreatedb: false, rolbypassrls: false });
});
