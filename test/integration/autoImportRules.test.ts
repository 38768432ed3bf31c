import { v7 as uuid } from 'uuid';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { createAutoImportActivities } from '../../activities/integrations/autoImport.ts';
import { createOperator } from '../../scripts/apiKeys/operator.ts';
import { inActivity } from '../support/bitbucketEngine.ts';
import { useEngineBench } from '../support/engineBench.ts';
import { createLocalApi } from '../support/localApi.ts';

/** What the rules that a person saves say of repositories as discoveries find them. */
const PLACES = [
  ['acme', 'ENG', 'engine'],
  ['acme', 'ENG', 'engine-fork', 'acme/engine'],
  ['acme', 'OPS', 'deploy'],
  ['acme', 'OPS', 'orphan', 'gone'],
  ['globex', 'ENG', 'shop'],
  ['globex', 'ENG', 'engine-copy', 'acme/engine'],
] as const;
const bench = useEngineBench({
  simulator: {
    world: {
      workspaces: ['acme', 'globex'].map((slug) => ({
        slug,
        name: slug,
        projects: ['ENG', 'OPS'].map((key) => ({ key, name: key })),
      })),
      repositories: PLACES.map(([workspace, project, slug, forkOf]) => ({
        workspace,
        project,
        slug,
        pullRequests: 0,
        commits: 0,
        ...(forkOf === undefined ? {} : { forkOf }),
      })),
    },
  },
});

let api: ReturnType<typeof createLocalApi>;
beforeAll(() => {
  api = createLocalApi({
    databaseUrl: bench.database.apiUrl,
    more: {
      orchestrator: {
        // What the integration's run does with the rules is done by the tests.
        command: async () => ({}),
        close: async () => {},
      } as never,
    },
  });
});
afterAll(() => api.close());

interface Integration {
  organizationId: string;
  integrationId: string;
  /** of an admin of its organization */
  key: string;
}

async function discover({ organizationId, integrationId }: Omit<Integration, 'key'>): Promise<void> {
  const of = { organizationId, integrationId };
  for (let cursor: string | null = null; ; ) {
    ({ cursor } = await inActivity(() => bench.engine.discovery.discoverChunk({ ...of, cursor })));
    if (cursor === null) break;
  }
  await bench.engine.discovery.finishDiscovery({ ...of, outcome: 'done' });
}

/** Created, and its first discovery has ended. */
async function activeIntegration(credential?: string, organizationId?: string) {
  const made = await bench.connect(credential, organizationId);
  await bench.rows.sql`update integrations set state = 'active', name = ${made.integrationId}
    where id = ${made.integrationId}`;
  await discover(made);
  return made;
}

let integration: Integration;
beforeEach(async () => {
  const { organizationId, integrationId } = await activeIntegration();
  const operator = createOperator(bench.database.ownerUrl);
  const { key } = await operator.createKey({ organization: organizationId, role: 'admin' });
  await operator.end();
  integration = { organizationId, integrationId, key };
});

/** An answer of 200 or 422 of the integration's auto-import. */
async function call(method: string, path: string, body?: object) {
  const { integrationId, key } = integration;
  const answer = await api.send(`/v1/integrations/${integrationId}/${path}`, {
    method,
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  // oxlint-disable-next-line typescript/no-explicit-any -- tests read bodies freely and assert what they find
  return { status: answer.status, body: (await answer.json()) as any };
}

/** The id of a workspace by its slug, or of a project by workspace and key. */
async function idOf(workspace: string, project?: string): Promise<string> {
  const [row] = await bench.rows.sql<{ id: string; project: string | null }[]>`
    select w.id, p.id as project from workspaces w
    left join projects p on p.workspace_id = w.id and p.key = ${project ?? null}
    where w.organization_id = ${integration.organizationId} and w.slug = ${workspace}`;
  return (project === undefined ? row?.id : row?.project) ?? '';
}

/** What the preview of these rules says of each repository. */
async function previewed(rules: object[]): Promise<Record<string, string>> {
  const { status, body } = await call('POST', 'auto-import/preview', { rules });
  expect(status).toBe(200);
  return Object.fromEntries(
    body.data.map(
      ({ full_name: name, reason, rule }: { full_name: string; reason: string; rule: number | null }) => [
        name,
        rule === null ? reason : `${reason} ${String(rule)}`,
      ],
    ),
  );
}

/** Saves these rules; what is imported by them then, by full name. */
async function taken(rules: object[]): Promise<string[]> {
  const { version } = (await call('GET', 'auto-import')).body;
  expect((await call('PUT', 'auto-import', { version, rules })).status).toBe(200);
  const activities = createAutoImportActivities({ database: bench.engine.database });
  const { organizationId, integrationId } = integration;
  const importId = uuid();
  await inActivity(() => activities.storeAutoImport({ organizationId, integrationId, importId }));
  const rows = await bench.rows.sql<{ name: string }[]>`
    select r.full_name as name from import_repositories ir join repositories r on r.id = ir.repository_id
    where ir.import_id = ${importId} order by 1`;
  return rows.map(({ name }) => name);
}

test('a rule of a project is about the repositories of that project only', async () => {
  const rules = [{ project_id: await idOf('acme', 'ENG'), takes: 'all' }];
  expect(await previewed(rules)).toEqual({
    'acme/deploy': 'no_rule',
    'acme/engine': 'matches 0',
    'acme/engine-fork': 'matches 0',
    'acme/orphan': 'no_rule',
    'globex/engine-copy': 'no_rule',
    'globex/shop': 'no_rule',
  });
  expect(await taken(rules)).toEqual(['acme/engine', 'acme/engine-fork']);
  expect((await call('GET', 'auto-import')).body.rules).toMatchObject([{ ...rules[0], workspace_id: null }]);
});

test('a rule of a project goes before the one of its workspace, also for what moves into it', async () => {
  const rules = [
    { workspace_id: await idOf('globex'), takes: 'all' },
    { project_id: await idOf('globex', 'OPS'), takes: 'none' },
  ];
  const ofGlobex = { 'globex/engine-copy': 'matches 0', 'globex/shop': 'matches 0' };
  expect(await previewed(rules)).toMatchObject(ofGlobex);
  const move = { kind: 'repository.edit', repository: 'globex/shop' };
  await bench.simulator.mutate({ ...move, project: 'OPS' });
  await discover(integration);
  expect(await previewed(rules)).toMatchObject({ ...ofGlobex, 'globex/shop': 'rule_takes_none 1' });
  expect(await taken(rules)).toEqual(['globex/engine-copy']);
  await bench.simulator.mutate({ ...move, project: 'ENG' });
});

test('a rule is about no project that only others see, nor about one of an excluded owner', async () => {
  const strangers = await bench.connect();
  await discover(strangers);
  const [theirs] = await bench.rows.sql<{ id: string }[]>`
    select id from projects where organization_id = ${strangers.organizationId} limit 1`;
  const sibling = await activeIntegration('access_token.workspace', integration.organizationId);
  integration = { ...sibling, key: integration.key };
  const ids = [await idOf('acme', 'OPS'), theirs?.id, await idOf('globex', 'ENG')];
  const refusals = async (projects: unknown[]) => {
    const rules = projects.map((id) => ({ project_id: id }));
    const answers = [
      await call('POST', 'auto-import/preview', { rules }),
      await call('PUT', 'auto-import', { version: 0, rules }),
    ];
    expect(answers.map(({ status }) => status)).toEqual([422, 422]);
    expect(answers[0]?.body.errors).toEqual(answers[1]?.body.errors);
    return answers[0]?.body.errors;
  };
  const unseen = expect.stringContaining('not among the projects');
  expect(await refusals(ids)).toMatchObject([
    { location: 'body.rules.1.project_id', message: unseen },
    { location: 'body.rules.2.project_id', message: unseen },
  ]);
  await bench.rows.sql`update integration_workspaces set excluded = true
    where integration_id = ${integration.integrationId}`;
  expect(await refusals(ids.slice(0, 1))).toMatchObject([
    { location: 'body.rules.0.project_id', message: expect.stringContaining('excluded owners') },
  ]);
});

test('a rule leaves out what the source did not update for so many days, until it does', async () => {
  const rules = [
    { workspace_id: await idOf('acme'), takes: 'all', exclude: { not_updated_for_days: 1 } },
    { workspace_id: await idOf('globex'), takes: 'all', exclude: { not_updated_for_days: 36_500 } },
  ];
  const before = {
    'acme/deploy': 'not_updated 0',
    'acme/engine': 'not_updated 0',
    'acme/engine-fork': 'not_updated 0',
    'acme/orphan': 'not_updated 0',
    'globex/engine-copy': 'matches 1',
    'globex/shop': 'matches 1',
  };
  expect(await previewed(rules)).toEqual(before);
  await bench.simulator.mutate({ kind: 'repository.edit', repository: 'acme/deploy', description: 'Used' });
  await discover(integration);
  expect(await previewed(rules)).toEqual({ ...before, 'acme/deploy': 'matches 0' });
  expect(await taken(rules)).toEqual(['acme/deploy', 'globex/engine-copy', 'globex/shop']);
});

test('a rule leaves out forks, also of another workspace; one whose origin is gone is none any more', async () => {
  const exclude = { forks: true };
  const rules = [
    { workspace_id: await idOf('acme'), takes: 'all', exclude },
    { workspace_id: await idOf('globex'), takes: 'all', exclude },
  ];
  expect(await previewed(rules)).toEqual({
    'acme/deploy': 'matches 0',
    'acme/engine': 'matches 0',
    'acme/engine-fork': 'fork 0',
    'acme/orphan': 'matches 0',
    'globex/engine-copy': 'fork 1',
    'globex/shop': 'matches 1',
  });
  expect(await taken(rules)).toEqual(['acme/deploy', 'acme/engine', 'acme/orphan', 'globex/shop']);
  const origins = await bench.rows.sql`
    select fork.full_name as fork, origin.full_name as origin from repositories fork
    join repositories origin on origin.organization_id = fork.organization_id
      and origin.provider_uuid = fork.parent_uuid
    where fork.organization_id = ${integration.organizationId} order by 1`;
  expect(origins.map((row) => ({ ...row }))).toEqual([
    { fork: 'acme/engine-fork', origin: 'acme/engine' },
    { fork: 'globex/engine-copy', origin: 'acme/engine' },
  ]);
});

test('a fork whose origin Bitbucket shows without a uuid is a fork too', async () => {
  const rules = [{ workspace_id: await idOf('acme'), takes: 'all', exclude: { forks: true } }];
  expect(await previewed(rules)).toMatchObject({ 'acme/orphan': 'matches 0' });
  const fault = {
    kind: 'poison',
    record: '"slug":"orphan"',
    find: '"parent":null',
    replace: '"parent":{"type":"repository"}',
  };
  bench.simulator.faults.set({ rules: [{ match: { path: '/repositories/acme\\?' }, fault }] });
  await discover(integration);
  bench.simulator.faults.clear();
  expect(await previewed(rules)).toMatchObject({ 'acme/deploy': 'matches 0', 'acme/orphan': 'fork 0' });
});
