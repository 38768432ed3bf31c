import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import {
  activeIntegration,
  credentialBody,
  expectStatus,
  importEnded,
  listAll,
  startImport,
} from '../support/connect.ts';
import { expectExact } from '../support/expectExact.ts';
import { otherOrganization } from '../support/otherOrganization.ts';
import { createStack, type Stack } from '../support/stack.ts';

/** What a tenant has that an address can name. */
interface Names {
  integrations: string;
  'connection-checks': string;
  imports: string;
  'import-estimates': string;
  'quarantine-retries': string;
  repositories: string;
}

let stack: Stack;
let tenants: { on: Stack; names: Names }[];

/** The same account imports the same repository into an organization. */
async function importInto(on: Stack): Promise<Names> {
  const integrationId = await activeIntegration(on);
  const [repository] = (await listAll(on, `/v1/integrations/${integrationId}/repositories`)).filter(
    ({ full_name: name }) => name === 'acme-rockets/telemetry',
  );
  const importId = await startImport(on, integrationId, { repositories: [repository.id] });
  const ended = await importEnded(on, importId);
  if (ended.state !== 'completed') throw new Error(JSON.stringify(ended));
  const check = await on.call('POST', '/v1/connection-checks', credentialBody(on, 'api_token.admin'));
  const estimate = await on.call('POST', `/v1/integrations/${integrationId}/imports`, {
    repositories: [repository.id],
    dry_run: true,
  });
  const retry = await on.call('POST', `/v1/integrations/${integrationId}/quarantine/retry`, {});
  return {
    integrations: integrationId,
    'connection-checks': expectStatus(check, 200, 202).body.id,
    imports: importId,
    'import-estimates': expectStatus(estimate, 202).body.id,
    'quarantine-retries': expectStatus(retry, 202).body.id,
    repositories: repository.id,
  };
}

beforeAll(async () => {
  stack = await createStack({ simulator: { era: 'guide', size: 'tiny' } });
  const both = [stack, await otherOrganization(stack)];
  tenants = await Promise.all(both.map(async (on) => ({ on, names: await importInto(on) })));
});
afterAll(() => stack?.close());

test('two organizations import the same repository with the same account at the same time: each is exact', async () => {
  for (const { on } of tenants) {
    const found = await expectExact(on);
    expect(found.repositories).toBe(1);
    expect(found.records).toBeGreaterThan(200);
  }
  const [a, b] = tenants;
  expect(a?.names.repositories).not.toBe(b?.names.repositories);
});

describe('by the api', () => {
  const documentSchema = z.object({ paths: z.record(z.string(), z.record(z.string(), z.unknown())) });

  /** What each command needs, so that only the id can be what it is refused for. */
  const BODIES: Record<string, object> = {
    'patch /v1/integrations/{id}': { name: 'Taken over' },
    'post /v1/integrations/{id}/oauth/complete': { completion: 'x' },
    'put /v1/integrations/{id}/credential': { kind: 'basic', username: 'a', password: 'b' },
    'post /v1/integrations/{id}/create': { name: 'Taken over' },
    'post /v1/integrations/{id}/imports': { all: true },
    'post /v1/integrations/{id}/oauth': {},
    'post /v1/integrations/{id}/discover': {},
    'post /v1/integrations/{id}/pause': {},
    'post /v1/integrations/{id}/resume': {},
    'post /v1/integrations/{id}/sync': {},
    'post /v1/integrations/{id}/vanished/confirm': {},
    'post /v1/integrations/{id}/vanished/keep': {},
    'put /v1/integrations/{id}/webhooks': {},
    'put /v1/integrations/{id}/auto-import': { version: 0, rules: [] },
    'post /v1/integrations/{id}/auto-import/preview': { rules: [] },
    'post /v1/repositories/{id}/sync': {},
    'post /v1/integrations/{id}/quarantine/retry': {},
    'post /v1/imports/{id}/pause': {},
    'post /v1/imports/{id}/resume': {},
    'post /v1/imports/{id}/cancel': {},
    'post /v1/imports/{id}/retry-failed': {},
  };

  /** Every operation of the document whose address names something, with the names of a tenant in it. */
  async function addressed(names: Names): Promise<{ operation: string; method: string; path: string }[]> {
    const { body } = await stack.call('GET', '/openapi.json');
    const { paths } = documentSchema.parse(body);
    return Object.entries(paths)
      .filter(([path]) => path.includes('{id}'))
      .flatMap(([path, operations]) =>
        Object.keys(operations).map((method) => {
          const kind = Object.keys(names).find((name) => path.startsWith(`/v1/${name}/{id}`));
          if (kind === undefined) throw new Error(`whose id is meant in ${path}?`);
          const id = names[kind as keyof Names];
          return {
            operation: `${method} ${path}`,
            method: method.toUpperCase(),
            path: path.replace('{id}', id).replace('{number}', '1'),
          };
        }),
      );
  }

  test('every address with a foreign id answers 404, as for an id that never was', async () => {
    for (const [owner, stranger] of [tenants, tenants.toReversed()]) {
      if (owner === undefined || stranger === undefined) throw new Error('two tenants are needed');
      const before = await owner.on.call('GET', `/v1/integrations/${owner.names.integrations}`);
      const all = await addressed(owner.names);
      expect(all.length).toBeGreaterThan(20);
      for (const { operation, method, path } of all) {
        const body = method === 'GET' || method === 'DELETE' ? undefined : BODIES[operation];
        if (method !== 'GET' && method !== 'DELETE') expect(body, operation).toBeDefined();
        const foreign = await stranger.on.call(method, path, body);
        expect([operation, foreign.status, foreign.body.code]).toEqual([operation, 404, 'not_found']);
        const id = path.split('/')[3] ?? '';
        const absent = await stranger.on.call(
          method,
          path.replace(id, '01990000-0000-7000-8000-000000000001'),
          body,
        );
        const told = (answer: typeof absent) => ({ ...answer.body, request_id: null, instance: null });
        expect(told(absent), operation).toEqual(told(foreign));
      }
      expect((await owner.on.call('GET', `/v1/integrations/${owner.names.integrations}`)).body).toEqual(
        before.body,
      );
    }
  });

  test('the owner gets 200 at the same addresses', async () => {
    for (const { on, names } of tenants) {
      for (const { operation, method, path } of await addressed(names)) {
        if (method !== 'GET') continue;
        expect([operation, (await on.call('GET', path)).status]).toEqual([operation, 200]);
      }
    }
  });

  test('foreign repositories, projects and workspaces cannot be chosen for an import', async () => {
    const [owner, stranger] = tenants;
    if (owner === undefined || stranger === undefined) throw new Error('two tenants are needed');
    for (const kind of ['repositories', 'projects', 'workspaces']) {
      const [theirs] = await listAll(owner.on, `/v1/integrations/${owner.names.integrations}/${kind}`);
      const answer = await stranger.on.call(
        'POST',
        `/v1/integrations/${stranger.names.integrations}/imports`,
        { [kind]: [theirs.id] },
      );
      expect([kind, answer.status]).toEqual([kind, 422]);
    }
  });

  test('lists hold only what is the own organization’s', async () => {
    const [owner, stranger] = tenants;
    if (owner === undefined || stranger === undefined) throw new Error('two tenants are needed');
    expect((await listAll(stranger.on, '/v1/integrations')).map(({ id }) => id)).toEqual([
      stranger.names.integrations,
    ]);
    const ids = async ({ on, names }: typeof owner) =>
      (await listAll(on, `/v1/integrations/${names.integrations}/repositories`)).map(({ id }) => String(id));
    const theirs = new Set(await ids(owner));
    expect((await ids(stranger)).filter((id) => theirs.has(id))).toEqual([]);
  });
});

test('a query that forgets its WHERE sees rows of its own organization only, in every table of tenants', async () => {
  const tables = await stack.rows.withoutTenant((tx) =>
    tx.execute(sql`select table_name as name from information_schema.columns
      where table_schema = 'public' and column_name = 'organization_id' order by 1`),
  );
  expect(tables.length).toBeGreaterThan(20);
  let filled = 0;
  for (const { name } of tables) {
    for (const { on } of tenants) {
      const owners = await stack.rows.transaction(on.organizationId, (tx) =>
        tx.execute(sql`select distinct organization_id as id from ${sql.identifier(String(name))}`),
      );
      expect([name, owners.filter(({ id }) => id !== on.organizationId)]).toEqual([name, []]);
      filled += owners.length;
    }
  }
  expect(filled).toBeGreaterThan(30);
});
