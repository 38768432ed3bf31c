import { sql } from 'drizzle-orm';
import postgres from 'postgres';
import { v7 as uuid } from 'uuid';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createDatabase, type Database } from '../../../db/client.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';

let testDatabase: TestDatabase;
let superuser: postgres.Sql;
let owner: Database;
let api: Database;
let worker: Database;
const mine = uuid();
const theirs = uuid();
const REPOSITORY = '{0f0f0f0f-0000-4000-8000-000000000001}';

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  superuser = postgres(testDatabase.superuserUrl, { max: 1 });
  const open = (url: string) => createDatabase({ url, maxConnections: 2, applicationName: 'tenancy test' });
  owner = open(testDatabase.ownerUrl);
  api = open(testDatabase.apiUrl);
  worker = open(testDatabase.workerUrl);
  for (const organization of [mine, theirs]) {
    await owner.transaction(organization, (tx) =>
      tx.execute(sql`insert into organizations (id, name) values (${organization}, ${organization})`),
    );
    await importRepository(organization);
  }
});

afterAll(async () => {
  await Promise.all([owner.end(), api.end(), worker.end(), superuser.end()]);
  await testDatabase.drop();
});

/** Both organizations import the same Bitbucket repository, each under ids of its own. */
async function importRepository(organization: string): Promise<void> {
  await worker.transaction(organization, async (tx) => {
    const workspace = uuid();
    await tx.execute(sql`insert into workspaces (id, organization_id, provider_uuid, slug, name, observed_at)
      values (${workspace}, ${organization}, '{ws}', 'acme', 'Acme', now())`);
    await tx.execute(sql`insert into repositories (id, organization_id, workspace_id, provider_uuid, slug, name, full_name, is_private, raw, observed_at)
      values (${uuid()}, ${organization}, ${workspace}, ${REPOSITORY}, 'api', 'api', 'acme/api', true, '{}', now())`);
  });
}

describe('row-level security', () => {
  test('every table with an organization enables and forces it, and has the tenant policy', async () => {
    const unprotected = await superuser`
      select c.relname from pg_class c
      join pg_attribute a on a.attrelid = c.oid and a.attname = 'organization_id' and not a.attisdropped
      where c.relkind in ('r', 'p') and c.relnamespace = 'public'::regnamespace
        and not (c.relrowsecurity and c.relforcerowsecurity
          and exists (select 1 from pg_policy p where p.polrelid = c.oid and p.polname = 'tenant'))`;
    expect(unprotected).toEqual([]);
    const tables = await superuser`select count(*)::int as n from pg_class
      where relforcerowsecurity and relnamespace = 'public'::regnamespace`;
    expect(tables[0]?.['n']).toBeGreaterThan(25);
  });

  test('no role of ours is a superuser or bypasses it, and the application roles own nothing', async () => {
    const roles =
      await superuser`select rolname, rolsuper, rolbypassrls from pg_roles where rolname like 'bucket_brigade%'`;
    expect(roles).toHaveLength(4);
    expect(roles.filter((role) => role['rolsuper'] || role['rolbypassrls'])).toEqual([]);
    const owned = await superuser`select relname from pg_class c join pg_roles r on r.oid = c.relowner
      where r.rolname in ('bucket_brigade_api', 'bucket_brigade_worker', 'bucket_brigade_lookup')`;
    expect(owned).toEqual([]);
  });

  test.each(['owner', 'api', 'worker'] as const)(
    'a query of the %s that forgets its WHERE returns no foreign row',
    async (role) => {
      const database = { owner, api, worker }[role];
      const rows = await database.transaction(mine, (tx) =>
        tx.execute(sql`select organization_id from repositories`),
      );
      expect(rows.map((row) => row['organization_id'])).toEqual([mine]);
    },
  );

  test('without a tenant there are no rows, on a connection that has served tenants before too', async () => {
    for (const database of [api, worker]) {
      await database.transaction(mine, (tx) => tx.execute(sql`select 1 from repositories`));
      for (let i = 0; i < 4; i += 1) {
        expect(
          await database.withoutTenant((tx) => tx.execute(sql`select 1 from repositories`)),
        ).toHaveLength(0);
      }
    }
  });

  test('a row cannot be written for, or moved to, another organization', async () => {
    const insert = worker.transaction(mine, (tx) =>
      tx.execute(sql`insert into workspaces (id, organization_id, provider_uuid, slug, name, observed_at)
        values (${uuid()}, ${theirs}, '{x}', 'x', 'x', now())`),
    );
    await expect(insert).rejects.toMatchObject({ name: 'DatabaseError', code: '42501' });
    const move = worker.transaction(mine, (tx) =>
      tx.execute(sql`update workspaces set organization_id = ${theirs}`),
    );
    await expect(move).rejects.toMatchObject({ code: '42501' });
    const wipe = await worker.transaction(mine, (tx) =>
      tx.execute(sql`delete from repositories where organization_id = ${theirs} returning 1`),
    );
    expect(wipe).toHaveLength(0);
  });

  test('a child row cannot hang on a parent of another organization', async () => {
    const [foreign] = await worker.transaction(theirs, (tx) => tx.execute(sql`select id from repositories`));
    const child = worker.transaction(mine, (tx) =>
      tx.execute(
        sql`insert into streams (organization_id, repository_id, stream) values (${mine}, ${foreign?.['id']}, 'refs')`,
      ),
    );
    await expect(child).rejects.toMatchObject({ code: '23503', constraint: 'streams_repository' });
  });

  test.each(['transaction', 'read'] as const)(
    '1,000 interleaved of two tenants on a pool of two never see each other: %s',
    async (kind) => {
      const seen = await Promise.all(
        Array.from({ length: 1_000 }, (_, i) => (i % 2 === 0 ? mine : theirs)).map(async (organization) => {
          const rows = await api[kind](organization, (tx) =>
            tx.execute(sql`select organization_id from repositories`),
          );
          return rows.length === 1 && rows[0]?.['organization_id'] === organization;
        }),
      );
      expect(seen.filter((right) => !right)).toEqual([]);
    },
  );
});

describe('what a role may do', () => {
  test('the api cannot read a sealed secret', async () => {
    for (const query of [
      sql`select sealed from credentials`,
      sql`select sealed_code from oauth_flows`,
      sql`select * from credentials`,
    ]) {
      await expect(api.transaction(mine, (tx) => tx.execute(query))).rejects.toMatchObject({ code: '42501' });
    }
  });

  test('nobody who works changes or removes the audit trail', async () => {
    for (const database of [api, worker]) {
      for (const query of [sql`delete from audit_events`, sql`update audit_events set action = 'nothing'`]) {
        await expect(database.transaction(mine, (tx) => tx.execute(query))).rejects.toMatchObject({
          code: '42501',
        });
      }
    }
  });

  test('the look-up of a key gives ids only, and only to the api', async () => {
    const id = uuid();
    await owner.transaction(mine, (tx) =>
      tx.execute(
        sql`insert into api_keys (id, organization_id, prefix, hash, role) values (${id}, ${mine}, 'pre', '\\x00', 'viewer')`,
      ),
    );
    const found = await api.withoutTenant((tx) => tx.execute(sql`select * from lookup_api_key('pre')`));
    expect([...found]).toEqual([{ organization_id: mine, id }]);
    const byWorker = worker.withoutTenant((tx) => tx.execute(sql`select * from lookup_api_key('pre')`));
    await expect(byWorker).rejects.toMatchObject({ code: '42501' });
  });
});
