import { v7 as uuid } from 'uuid';
import { expect, test } from 'vitest';
import { createAutoImportActivities } from '../../activities/integrations/autoImport.ts';
import type { AutoImportRule } from '../../autoImport/rules.ts';
import {
  discoveryWorkflowId,
  importWorkflowId,
  integrationWorkflowId,
  lookUpWorkflowId,
} from '../../workflows/ids.ts';
import * as messages from '../../workflows/messages.ts';
import { inActivity } from '../support/bitbucketEngine.ts';
import { untilImport } from '../support/importBench.ts';
import type { TestTenant } from '../support/integrationRows.ts';
import { waitFor } from '../support/waitFor.ts';
import {
  actor,
  command,
  handleOf,
  integrationGoesOn,
  refusalOf,
  useWorkflowBench,
} from '../support/workflowBench.ts';
import type { WorkflowRun } from '../support/workflows.ts';

const bench = useWorkflowBench();

/** A rule for the tenant's workspace, as the api saves it. */
async function saveRule(tenant: TestTenant, more: Partial<AutoImportRule> = {}): Promise<void> {
  const { organizationId, integrationId } = tenant;
  const [workspace] = await bench.sql`select id from workspaces where organization_id = ${organizationId}`;
  const rule = {
    workspaceId: workspace!['id'] as string,
    projectId: null,
    takes: 'all',
    since: null,
    exclude: { names: [], patterns: [], notUpdatedForDays: null, forks: false },
    ...more,
  };
  await bench.sql`insert into auto_import (organization_id, integration_id, rules)
    values (${organizationId}, ${integrationId}, ${bench.sql.json([rule] as never)})
    on conflict (organization_id, integration_id) do update set rules = excluded.rules,
      version = auto_import.version + 1`;
}

/** One more, as a discovery finds it. */
async function findRepository(tenant: TestTenant, slug: string): Promise<string> {
  const { organizationId, integrationId } = tenant;
  const id = uuid();
  await bench.sql`insert into repositories (id, organization_id, workspace_id, provider_uuid, slug, name, full_name,
      is_private, raw, observed_at)
    select ${id}, ${organizationId}, w.id, ${id}, ${slug}, ${slug}, ${`acme/${slug}`}, true, '{}', now()
    from workspaces w where w.organization_id = ${organizationId}`;
  await bench.sql`insert into integration_repositories (organization_id, integration_id, repository_id)
    values (${organizationId}, ${integrationId}, ${id})`;
  return id;
}

interface Taken {
  id: string;
  state: string;
  repositories: string[];
}

/** The tenant's imports, oldest first, with what each has. */
const imports = ({ organizationId }: TestTenant) => bench.sql<Taken[]>`
  select i.id, i.state, array(select r.slug from import_repositories ir join repositories r on r.id = ir.repository_id
    where ir.import_id = i.id order by ir.place) as repositories
  from imports i where i.organization_id = ${organizationId} order by i.created_at`;

const untilImports = (tenant: TestTenant, count: number) =>
  waitFor({
    what: `${count} imports are completed`,
    read: () => imports(tenant),
    until: (all) => all.length >= count && all.every(({ state }) => state === 'completed'),
  });

async function discover(run: WorkflowRun, tenant: TestTenant): Promise<void> {
  await command(run, tenant, messages.discover, { actor });
  await run.client.workflow.getHandle(discoveryWorkflowId(tenant.integrationId)).result();
}

/** A command is carried out behind all that was told before it. */
const untilLooked = async (run: WorkflowRun, tenant: TestTenant, times: number): Promise<void> => {
  await waitFor({
    what: 'the rules were applied',
    read: async () => (await handleOf(run.client, tenant).fetchHistory()).events ?? [],
    until: (events) => {
      const asked = new Set<string>();
      for (const { eventId, activityTaskScheduledEventAttributes: scheduled } of events) {
        if (scheduled?.activityType?.name === 'storeAutoImport') asked.add(String(eventId));
      }
      const done = events.filter(({ activityTaskCompletedEventAttributes: ended }) =>
        asked.has(String(ended?.scheduledEventId)),
      );
      return done.length >= times;
    },
  });
};

test('after each discovery what the rules take is imported, each repository by one import and once', async () => {
  const tenant = await bench.tenant('active');
  const [, , removed, failed] = await tenant.repositories(5);
  await bench.sql`update repositories set removed_at = now() where id = ${removed!}`;
  const before = await tenant.storeImport({ repositories: [failed] });
  await bench.sql`update imports set state = 'completed_with_failures', finished_at = now() where id = ${before}`;
  await bench.sql`insert into import_repositories (organization_id, import_id, repository_id, place, state)
    values (${tenant.organizationId}, ${before}, ${failed!}, 1, 'failed')`;
  await saveRule(tenant, {
    exclude: { names: ['repo-002'], patterns: ['-(a+)+$'], notUpdatedForDays: null, forks: false },
  });
  await bench.run(async (run) => {
    await discover(run, tenant);
    const own = async () => (await imports(tenant)).filter(({ id }) => id !== before);
    await waitFor({
      what: 'the import is completed',
      read: own,
      until: ([first]) => first?.state === 'completed',
    });
    expect(await own()).toMatchObject([{ repositories: ['repo-001', 'repo-005'] }]);
    await run.record('auto-import', integrationWorkflowId(tenant.integrationId));
    await run.record('discovery-tells-its-integration', discoveryWorkflowId(tenant.integrationId));

    await findRepository(tenant, 'new-one');
    await findRepository(tenant, 'new-aaa');
    await discover(run, tenant);
    await waitFor({
      what: 'the second import is completed',
      read: own,
      until: (all) => all.length === 2 && all.every(({ state }) => state === 'completed'),
    });
    expect((await own())[1]).toMatchObject({ repositories: ['new-one'] });
    await discover(run, tenant);
    await untilLooked(run, tenant, 3);
    expect(await own()).toHaveLength(2);
    const [first] = await own();
    expect(await tenant.importRow(first!.id)).toMatchObject({
      kind: 'import',
      mode: 'changed',
      selection: { auto_import: tenant.integrationId },
      started_by_key: null,
      started_by_user: 'auto-import',
      repositories_total: 2,
    });
    const owners = await bench.sql`select distinct integration_id from repositories r
      join import_repositories i on i.repository_id = r.id where i.import_id = ${first!.id}`;
    expect(owners).toMatchObject([{ integration_id: tenant.integrationId }]);
  }, integrationGoesOn(tenant));
});

test('a paused integration imports nothing by itself, and catches up when it goes on; so does one without a credential', async () => {
  const paused = await bench.tenant('paused');
  await paused.repositories(2);
  await saveRule(paused);
  await bench.run(async (run) => {
    await command(run, paused, messages.applyAutoImport, { actor });
    await command(run, paused, messages.rename, { name: 'Still paused', actor });
    expect(await imports(paused)).toEqual([]);
    // What it was told must be in its history, not in a worker's memory.
    await run.restart();
    await command(run, paused, messages.resume, { actor });
    expect((await untilImports(paused, 1))[0]?.repositories).toHaveLength(2);
  }, integrationGoesOn(paused));

  const refused = await bench.tenant('needs_credential');
  await refused.repositories(1);
  await saveRule(refused);
  await bench.run(async (run) => {
    await command(run, refused, messages.applyAutoImport, { actor });
    expect(await imports(refused)).toEqual([]);
    await command(run, refused, messages.submitCredential, { ...(await refused.credential()), actor });
    await untilImports(refused, 1);
  }, integrationGoesOn(refused));

  const draft = await bench.tenant('connected');
  await bench.run(async (run) => {
    const applied = command(run, draft, messages.applyAutoImport, { actor });
    expect(await refusalOf(applied)).toBe('needs_create');
  }, integrationGoesOn(draft));
});

test('continues as new with rules that wait to be applied', async () => {
  const tenant = await bench.tenant('paused');
  await tenant.repositories(1);
  await saveRule(tenant);
  await bench.run(async (run) => {
    await command(run, tenant, messages.applyAutoImport, { actor }, { historyLimit: 20 });
    for (let turn = 0; turn < 6; turn += 1) {
      await command(run, tenant, messages.rename, { name: `Name ${turn}`, actor }, { historyLimit: 20 });
    }
    expect(await imports(tenant)).toEqual([]);
    await command(run, tenant, messages.resume, { actor });
    await untilImports(tenant, 1);
  }, integrationGoesOn(tenant));
});

test('rules that are new take nothing that was there, and what came since; nothing out of sight or of an excluded owner', async () => {
  const tenant = await bench.tenant('active');
  await tenant.repositories(2);
  const { organizationId, integrationId } = tenant;
  const activities = createAutoImportActivities({ database: bench.database });
  const store = () =>
    inActivity(() => activities.storeAutoImport({ organizationId, integrationId, importId: uuid() }));
  const [clock] = await bench.sql<{ now: string }[]>`select clock_timestamp()::text as now`;
  await saveRule(tenant, { takes: 'new', since: clock!.now });
  expect(await store()).toEqual({ importIds: [], repositories: 0 });

  const gone = await findRepository(tenant, 'out-of-sight');
  await bench.sql`update integration_repositories set missing_since = now() where repository_id = ${gone}`;
  await findRepository(tenant, 'fresh');
  await bench.sql`insert into integration_workspaces (organization_id, integration_id, workspace_id, excluded)
    select organization_id, ${integrationId}, id, true from workspaces where organization_id = ${organizationId}`;
  expect(await store()).toEqual({ importIds: [], repositories: 0 });
  await bench.sql`update integration_workspaces set excluded = false where integration_id = ${integrationId}`;
  expect(await store()).toMatchObject({ repositories: 1 });
  expect((await imports(tenant)).map(({ repositories }) => repositories)).toEqual([['fresh']]);
});

test('a lost answer, two at the same time and a second integration never take a repository twice', async () => {
  const tenant = await bench.tenant('active');
  await tenant.repositories(30);
  const sibling = await tenant.sibling();
  await saveRule(tenant);
  await saveRule(sibling);
  const activities = createAutoImportActivities({ database: bench.database });
  const store = ({ organizationId, integrationId }: TestTenant, importId = uuid()) =>
    inActivity(() => activities.storeAutoImport({ organizationId, integrationId, importId }));
  const importId = uuid();
  const answers = await Promise.all([
    store(tenant, importId),
    store(tenant),
    store(sibling),
    store(sibling),
    store(tenant),
  ]);
  expect(answers.reduce((sum, { repositories }) => sum + repositories, 0)).toBe(30);
  const before = await imports(tenant);
  expect(before.flatMap(({ repositories }) => repositories)).toHaveLength(30);
  await store(tenant, importId);
  expect(await imports(tenant)).toEqual(before);
  const events = await bench.sql`select data from events where organization_id = ${tenant.organizationId}
    and type = 'auto_import_started'`;
  expect(events).toHaveLength(before.length);
});

test('an import that was stored when the run was lost is started by the next one', async () => {
  const tenant = await bench.tenant('active');
  const [id] = await tenant.repositories(1);
  await saveRule(tenant);
  const { organizationId, integrationId } = tenant;
  const activities = createAutoImportActivities({ database: bench.database });
  const importId = uuid();
  await inActivity(() => activities.storeAutoImport({ organizationId, integrationId, importId }));
  expect(await tenant.repositoryRows(importId)).toMatchObject([{ id, state: 'pending' }]);
  await bench.run(async (run) => {
    await command(run, tenant, messages.rename, { name: 'Found again', actor });
    await untilImport(tenant, importId, 'completed', 15_000);
    await run.client.workflow.getHandle(importWorkflowId(importId)).result();
    expect(await imports(tenant)).toHaveLength(1);
  }, integrationGoesOn(tenant));
});

test('a repository that a webhook names is looked up by itself, and imported by what the rules say of it', async () => {
  const tenant = await bench.tenant('active');
  await tenant.repositories(0);
  await saveRule(tenant);
  const { organizationId, integrationId } = tenant;
  await bench.run(async (run) => {
    await command(run, tenant, messages.applyAutoImport, { actor });
    await untilLooked(run, tenant, 1);
    await findRepository(tenant, 'named');
    await run.client.workflow.execute('discoverIntegration', {
      workflowId: lookUpWorkflowId(integrationId),
      taskQueue: run.taskQueue,
      args: [{ organizationId, integrationId, lookUp: ['{named}'] }],
    });
    expect((await untilImports(tenant, 1))[0]).toMatchObject({ repositories: ['named'] });
    expect(run.bitbucket.calls.filter((call) => call.includes('iscover') || call.includes('lookUp'))).toEqual(
      ['lookUpRepositories {named}'],
    );
    await run.record('looked-up-repository', lookUpWorkflowId(integrationId));
  }, integrationGoesOn(tenant));
});

test('what a pause kept from being judged is judged when the integration is active again', async () => {
  const tenant = await bench.tenant('active');
  await tenant.repositories(1);
  await saveRule(tenant);
  await bench.run(async (run) => {
    bench.meanwhile('storeAutoImport', { before: () => command(run, tenant, messages.pause, { actor }) });
    await command(run, tenant, messages.applyAutoImport, { actor });
    await untilLooked(run, tenant, 1);
    expect(await imports(tenant)).toEqual([]);
    await command(run, tenant, messages.resume, { actor });
    expect((await untilImports(tenant, 1))[0]).toMatchObject({ repositories: ['repo-001'] });
    await run.record('auto-import-in-a-pause', integrationWorkflowId(tenant.integrationId));
  }, integrationGoesOn(tenant));
});
