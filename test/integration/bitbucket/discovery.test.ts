import { afterEach, describe, expect, it } from 'vitest';
import type { DiscoveryActivities } from '../../../workflows/contracts/discovery.ts';
import { inActivity } from '../../support/bitbucketEngine.ts';
import { useEngineBench } from '../../support/engineBench.ts';

// One request a chunk: every place is carried over once.
const bench = useEngineBench({ engine: { maxRequests: 1 } });

afterEach(async () => {
  bench.simulator.faults.clear();
  await bench.rows.sql`delete from request_limits`;
});

let uniqueSlugs = 0;

type Chunk = Awaited<ReturnType<DiscoveryActivities['discoverChunk']>>;
interface Integration {
  organizationId: string;
  integrationId: string;
}

const chunk = ({ organizationId, integrationId }: Integration, cursor: string | null): Promise<Chunk> =>
  inActivity(() => bench.engine.discovery.discoverChunk({ organizationId, integrationId, cursor }));

/** Runs chunks to the end as the workflow does. */
async function discover(integration: Integration) {
  const total = { workspaces: 0, projects: 0, repositories: 0, chunks: 0 };
  let cursor: string | null = null;
  do {
    const found: Chunk = await chunk(integration, cursor);
    cursor = found.cursor;
    total.workspaces += found.workspaces;
    total.projects += found.projects;
    total.repositories += found.repositories;
    total.chunks += 1;
    // Its timer has ended.
    if (found.limited !== undefined) await bench.rows.sql`delete from request_limits`;
  } while (cursor !== null);
  const { organizationId, integrationId } = integration;
  await bench.engine.discovery.finishDiscovery({ organizationId, integrationId, outcome: 'done' });
  return total;
}

const seenRepositories = async ({ integrationId }: Integration) =>
  (
    await bench.rows.sql<{ full_name: string }[]>`
      select r.full_name from integration_repositories l join repositories r on r.id = l.repository_id
      where l.integration_id = ${integrationId} order by 1`
  ).map(({ full_name }) => full_name);

/** Row versions: they change with every write. */
const versions = async ({ organizationId }: Integration) =>
  await bench.rows.sql`
    select id, xmin::text from workspaces where organization_id = ${organizationId}
    union all select id, xmin::text from projects where organization_id = ${organizationId}
    union all select id, xmin::text from repositories where organization_id = ${organizationId} order by 1`;

describe('discovery', () => {
  it('finds everything that the account sees, chunk by chunk', async () => {
    const integration = await bench.connect();
    const total = await discover(integration);
    expect(total).toMatchObject({ workspaces: 2, projects: 3, repositories: 7 });
    expect(total.chunks).toBeGreaterThan(5);
    expect(await seenRepositories(integration)).toEqual([
      'acme-rockets/blank-slate',
      'acme-rockets/flight-control',
      'acme-rockets/launch-scripts',
      'acme-rockets/secret-sauce',
      'acme-rockets/telemetry',
      'globex/shop',
      'globex/telemetry-fork',
    ]);
    const { organizationId, integrationId } = integration;
    expect(
      await bench.rows.sql`select w.slug, w.name, l.administrator from workspaces w
        join integration_workspaces l on l.workspace_id = w.id
        where w.organization_id = ${organizationId} order by 1`,
    ).toMatchObject([
      { slug: 'acme-rockets', name: 'Acme Rockets', administrator: true },
      { slug: 'globex', name: 'Globex Gläser & Söhne', administrator: true },
    ]);
    const [row] = await bench.rows.sql`select * from integrations where id = ${integrationId}`;
    expect(row).toMatchObject({ discovery_state: 'done', discovery_error: null });
    const [shop] = await bench.rows.sql`
      select r.*, p.key from repositories r join projects p on p.id = r.project_id
      where r.organization_id = ${organizationId} and r.slug = 'shop'`;
    expect(shop).toMatchObject({ name: 'Shop – Läden & مرحبا', key: 'WEB', is_private: true });
    expect(shop?.['raw']).toMatchObject({ full_name: 'globex/shop' });
  });

  it('begins anew where another credential signs in the middle: its account may have other workspaces', async () => {
    const integration = await bench.connect('access_token.workspace');
    const { cursor: inTheMiddle } = await chunk(integration, null);
    expect(inTheMiddle).not.toBeNull();
    const { credentialId } = await bench.connect('api_token.admin', integration.organizationId);
    await bench.rows
      .sql`update integrations set credential_id = ${credentialId} where id = ${integration.integrationId}`;
    for (let cursor = inTheMiddle; cursor !== null; ) ({ cursor } = await chunk(integration, cursor));
    const seen = await seenRepositories(integration);
    expect(seen).toContain('globex/shop');
    expect(seen).toContain('acme-rockets/telemetry');
  });

  it('run again writes no row that has not changed', async () => {
    const integration = await bench.connect();
    await discover(integration);
    const before = await versions(integration);
    await discover(integration);
    expect(await versions(integration)).toEqual(before);
  });

  it('shows two organizations the same repositories, each their own rows', async () => {
    const [one, two] = [await bench.connect('api_token.service'), await bench.connect('api_token.service')];
    await discover(one);
    await discover(two);
    expect(await seenRepositories(one)).toEqual(await seenRepositories(two));
    expect(await seenRepositories(one)).not.toContain('acme-rockets/secret-sauce');
    const ids = async ({ organizationId }: Integration) =>
      (await bench.rows.sql`select id from repositories where organization_id = ${organizationId}`).map(
        ({ id }) => id as string,
      );
    const [idsOfOne, idsOfTwo] = [await ids(one), await ids(two)];
    expect(idsOfOne.filter((id) => idsOfTwo.includes(id))).toEqual([]);
  });

  it('gives two integrations of one organization one set of rows', async () => {
    const admin = await bench.connect();
    const service = await bench.connect('api_token.service', admin.organizationId);
    await discover(admin);
    const before = await versions(admin);
    await discover(service);
    expect(await versions(admin)).toEqual(before);
    expect((await seenRepositories(service)).length).toBeLessThan((await seenRepositories(admin)).length);
  });

  it.each([
    ['access_token.workspace', 5],
    ['access_token.project', 2],
    ['access_token.repository', 1],
  ])('starts where %s begins', async (name, repositories) => {
    const integration = await bench.connect(name);
    await discover(integration);
    const found = await seenRepositories(integration);
    expect(found.every((fullName) => fullName.startsWith('acme-rockets/'))).toBe(true);
    expect(found).toHaveLength(repositories);
    const [place] = await bench.rows.sql`
      select w.name, count(p.id)::int as projects from workspaces w left join projects p on p.workspace_id = w.id
      where w.organization_id = ${integration.organizationId} group by 1`;
    expect(place?.['name']).toBe('Acme Rockets');
    expect(place?.['projects']).toBeGreaterThanOrEqual(1);
  });

  it('stops at a limit with its place, and goes on from there', async () => {
    const integration = await bench.connect();
    const first = await chunk(integration, null);
    bench.simulator.faults.set({
      rules: [{ count: 1, fault: { kind: 'rate_limit', retry_after: 'seconds', seconds: 600 } }],
    });
    const limited = await chunk(integration, first.cursor);
    expect(limited.cursor).toBe(first.cursor);
    expect(Date.parse(limited.limited?.until ?? '') - Date.now()).toBeGreaterThan(500_000);
    await bench.rows.sql`delete from request_limits`;
    let cursor = limited.cursor;
    while (cursor !== null) cursor = (await chunk(integration, cursor)).cursor;
    expect(await seenRepositories(integration)).toHaveLength(7);
  });

  it('an empty list removes nothing', async () => {
    const integration = await bench.connect();
    await discover(integration);
    bench.simulator.faults.set({
      rules: [{ match: { path: '/repositories/' }, fault: { kind: 'empty_list' } }],
    });
    await discover(integration);
    expect(await seenRepositories(integration)).toHaveLength(7);
  });

  it.each([{ kind: 'wrong_shape' }, { kind: 'html' }, { kind: 'status', status: 401 }])(
    'does not take %j for an empty list',
    async (fault) => {
      const integration = await bench.connect();
      bench.simulator.faults.set({ rules: [{ match: { path: '^/2.0/user/workspaces' }, fault }] });
      await expect(chunk(integration, null)).rejects.toMatchObject({
        type: expect.stringMatching(/^(InvalidResponse|AuthRefused)$/) as string,
      });
    },
  );

  it.each([
    [{ kind: 'status', status: 555 }, '/repositories/acme-rockets\\?'],
    [{ kind: 'wrong_shape' }, '/repositories/acme-rockets\\?'],
    [{ kind: 'wrong_shape' }, '/workspaces/acme-rockets$'],
    [{ kind: 'status', status: 502 }, '/workspaces/[^/]*/projects'],
  ])(
    'by %j of %s goes on behind that list after five tries, and misses nothing by it',
    async (fault, path) => {
      const integration = await bench.connect();
      await discover(integration);
      await bench.rows.sql`update workspaces set created_on = null`;
      const { repository } = (await bench.simulator.mutate({
        kind: 'repository.create',
        workspace: 'globex',
        slug: `found-behind-${String(uniqueSlugs++)}`,
      })) as { repository: string };
      bench.simulator.faults.set({ rules: [{ match: { path }, fault }] });
      await discover(integration);
      const [rule] = bench.simulator.faults.report().rules;
      expect(rule?.played).toBe(path.includes('projects') ? 10 : 5);
      const { integrationId } = integration;
      const found = await bench.rows
        .sql`select r.provider_uuid as uuid, l.missing_since from integration_repositories l
      join repositories r on r.id = l.repository_id where l.integration_id = ${integrationId}`;
      expect(found.map(({ uuid }) => uuid as string)).toContain(repository);
      expect(found.filter(({ missing_since: missing }) => missing !== null)).toEqual([]);
      await bench.simulator.mutate({ kind: 'repository.delete', repository });
    },
  );

  it.each([
    [
      'a workspace that was closed',
      { kind: 'status', status: 410 },
      '/repositories/acme-rockets\\?',
      ['globex'],
    ],
    [
      'a list of projects that is refused',
      { kind: 'status', status: 400 },
      '/workspaces/[^/]*/projects',
      ['acme-rockets', 'globex'],
    ],
  ])('%s keeps nothing else from being found', async (_, fault, path, workspaces) => {
    const integration = await bench.connect();
    bench.simulator.faults.set({ rules: [{ match: { path }, fault }] });
    await discover(integration);
    const found = (await seenRepositories(integration)).map((name) => name.split('/')[0]);
    expect([...new Set(found)]).toEqual(workspaces);
  });

  it('keeps the row of a renamed repository', async () => {
    const integration = await bench.connect();
    await discover(integration);
    const idOf = async (slug: string) =>
      (
        await bench.rows.sql`select id from repositories
          where organization_id = ${integration.organizationId} and slug = ${slug}`
      )[0]?.['id'] as string | undefined;
    const id = await idOf('launch-scripts');
    await bench.simulator.mutate({
      kind: 'repository.rename',
      repository: 'acme-rockets/launch-scripts',
      slug: 'launch-pad',
    });
    await discover(integration);
    expect(await idOf('launch-pad')).toBe(id);
    expect(await idOf('launch-scripts')).toBeUndefined();
  });

  it('finds a repository that a webhook names by one request, and nothing where it may not look', async () => {
    const integration = await bench.connect();
    await discover(integration);
    const { repository } = (await bench.simulator.mutate({
      kind: 'repository.create',
      workspace: 'acme-rockets',
      slug: 'named-by-a-webhook',
    })) as { repository: string };
    const hidden = (await bench.simulator.mutate({
      kind: 'repository.create',
      workspace: 'globex',
      slug: 'hidden',
    })) as { repository: string };
    const { organizationId, integrationId } = integration;
    const lookUp = (uuids: string[], of = { organizationId, integrationId }) =>
      inActivity(() => bench.engine.discovery.lookUpRepositories({ ...of, uuids }));
    const before = bench.simulator.journal.since(0).at(-1)?.sequence ?? 0;
    expect(await lookUp([repository])).toEqual({ left: [], found: 1 });
    expect(bench.simulator.journal.since(before)).toHaveLength(1);
    expect(await seenRepositories(integration)).toContain('acme-rockets/named-by-a-webhook');
    const [row] = await bench.rows.sql`
      select p.key from repositories r join projects p on p.id = r.project_id
      where r.organization_id = ${organizationId} and r.slug = 'named-by-a-webhook'`;
    expect(row).toBeDefined();

    await bench.simulator.mutate({
      kind: 'repository.rename',
      repository: 'acme-rockets/named-by-a-webhook',
      slug: 'renamed',
    });
    const renamedAt = bench.simulator.journal.since(0).at(-1)?.sequence ?? 0;
    expect(await lookUp([repository])).toEqual({ left: [], found: 1 });
    expect(bench.simulator.journal.since(renamedAt)).toHaveLength(1);
    expect(await seenRepositories(integration)).toContain('acme-rockets/renamed');
    const names = await bench.rows.sql`
      select n.full_name from repository_names n join repositories r on r.id = n.repository_id
      where r.organization_id = ${organizationId} and r.full_name = 'acme-rockets/renamed'`;
    expect(names.map((name) => String(name['full_name']))).toEqual(['acme-rockets/named-by-a-webhook']);

    const narrow = await bench.connect('access_token.workspace');
    expect(await lookUp([hidden.repository, '{00000000-0000-4000-8000-000000000000}'], narrow)).toEqual({
      left: [],
      found: 0,
    });
    expect(await seenRepositories(narrow)).toEqual([]);
    bench.simulator.faults.set({
      rules: [{ count: 1, fault: { kind: 'rate_limit', retry_after: 'seconds', seconds: 600 } }],
    });
    const limited = await lookUp([hidden.repository, repository]);
    expect(limited).toMatchObject({ left: [hidden.repository, repository], found: 0 });
    expect(Date.parse(limited.limited?.until ?? '') - Date.now()).toBeGreaterThan(500_000);
  });
});
