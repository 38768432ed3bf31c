import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createCloneFolder } from '../../activities/git/cloneFolder.ts';
import { removeDraft } from '../../activities/integrations/removeDraft.ts';
import { sweep } from '../../worker/sweep.ts';
import { sweepClones } from '../../worker/sweepClones.ts';
import { useDatabaseBench } from '../support/databaseBench.ts';

const bench = useDatabaseBench({ role: 'worker' });

const NOTHING = {
  secrets: 0,
  checks: 0,
  drafts: 0,
  flows: 0,
  answers: 0,
  estimates: 0,
  deliveryDays: 0,
  expiring: 0,
};

test('secrets that waited too long are removed in every organization; those in time or in use stay', async () => {
  const [one, other] = [await bench.tenant(), await bench.tenant()];
  const overdue = [await one.credential(), await other.credential()].map(({ credentialId }) => credentialId);
  const inTime = (await one.credential()).credentialId;
  const used = (await other.credential()).credentialId;
  await bench.sql`update credentials set discard_after = now() - interval '1 second' where id = any(${[...overdue, used]}::uuid[])`;
  await bench.sql`update credentials set discard_after = now() + interval '1 minute' where id = ${inTime}`;
  await bench.sql`update credentials set state = 'active' where id = ${used}`;
  expect(await sweep(bench.database)).toEqual({ ...NOTHING, secrets: 2 });
  const left = await bench.sql<
    { id: string }[]
  >`select id from credentials where sealed is not null order by id`;
  expect(left.map(({ id }) => id)).toEqual([inTime, used].toSorted());
  expect(await sweep(bench.database)).toEqual(NOTHING);
});

test('OAuth flows and kept answers whose time is over are removed in every organization; the others stay', async () => {
  const tenants = [await bench.tenant(), await bench.tenant()];
  const kept: string[] = [];
  for (const tenant of tenants) {
    const { organizationId } = tenant;
    const { oauthFlowId: over } = await tenant.oauthFlow();
    const { oauthFlowId: underWay } = await tenant.oauthFlow();
    await bench.sql`update oauth_flows set expires_at = now() - interval '61 minutes' where id = ${over}`;
    await bench.sql`update oauth_flows set expires_at = now() - interval '59 minutes' where id = ${underWay}`;
    await bench.sql`insert into idempotency_keys (organization_id, key, operation, fingerprint, created_at) values
      (${organizationId}, 'old', 'POST /', 'x', now() - interval '25 hours'),
      (${organizationId}, 'young', 'POST /', 'x', now() - interval '23 hours')`;
    kept.push(underWay);
  }
  expect(await sweep(bench.database)).toEqual({ ...NOTHING, flows: 2, answers: 2 });
  const flows = await bench.sql<{ id: string }[]>`select id from oauth_flows order by id`;
  expect(flows.map(({ id }) => id)).toEqual(kept.toSorted());
  const answers = await bench.sql<{ key: string }[]>`select key from idempotency_keys`;
  expect(answers.map(({ key }) => key)).toEqual(['young', 'young']);
});

test('estimates are removed a day after they were asked for, with what they learned', async () => {
  const [one, other] = [await bench.tenant(), await bench.tenant()];
  const ids: string[] = [];
  for (const { organizationId, integrationId } of [one, other]) {
    for (const age of ['25 hours', '23 hours']) {
      const [row] = await bench.sql<{ id: string }[]>`
        insert into import_estimates (id, organization_id, integration_id, mode, selection, created_at)
        values (gen_random_uuid(), ${organizationId}, ${integrationId}, 'full', '{"all": true}', now() - ${age}::interval)
        returning id`;
      ids.push(row!.id);
    }
  }
  const [repository] = await one.repositories(1);
  await bench.sql`insert into import_estimate_repositories (organization_id, estimate_id, repository_id, place, stratum, weight)
    values (${one.organizationId}, ${ids[0]!}, ${repository!}, 1, 0, 1)`;
  expect(await sweep(bench.database)).toEqual({ ...NOTHING, estimates: 2 });
  const left = await bench.sql<
    { id: string }[]
  >`select id from import_estimates where id = any(${ids}::uuid[])`;
  expect(left.map(({ id }) => id).toSorted()).toEqual([ids[1]!, ids[3]!].toSorted());
  expect(await bench.sql`select 1 from import_estimate_repositories`).toHaveLength(0);
});

test('people are told 30, 7 and 1 days before a credential ends, once each, whatever is swept how often', async () => {
  const tenant = await bench.tenant('active');
  const { credentialId } = await tenant.credential();
  const { credentialId: candidate } = await tenant.credential();
  const endsIn = (days: number, id = credentialId) =>
    bench.sql`update credentials set expires_on = now() + make_interval(secs => ${days * 86_400}) where id = ${id}`;
  await bench.sql`update credentials set state = 'active' where id = ${credentialId}`;
  await endsIn(2, candidate);
  const told: number[] = [];
  for (const days of [31, 29, 29, 8, 6.9, 3, 0.9, 0.1, -1]) {
    await endsIn(days);
    await Promise.all([sweep(bench.database), sweep(bench.database)]);
    const rows = await bench.sql<{ days: number }[]>`select (data ->> 'days')::int as days from events
      where integration_id = ${tenant.integrationId} and type = 'credential_expiring' order by id`;
    told.push(rows.length);
    if (days === -1) expect(rows.map((row) => row.days)).toEqual([30, 7, 1]);
  }
  expect(told).toEqual([0, 1, 1, 1, 2, 2, 3, 3, 3]);
  // The successor is a credential of its own, which ends when it ends.
  await bench.sql`update credentials set state = 'shredded' where id = ${credentialId}`;
  await bench.sql`update credentials set state = 'active' where id = ${candidate}`;
  expect(await sweep(bench.database)).toMatchObject({ expiring: 1 });
});

test('checks without an end and expired drafts that no run sees to are ended; younger ones and created ones stay', async () => {
  const [left, young, created] = [
    await bench.tenant('checking'),
    await bench.tenant('checking'),
    await bench.tenant('active'),
  ];
  for (const [tenant, minutes] of [
    [left, 31],
    [young, 29],
  ] as const) {
    const { organizationId, integrationId } = tenant;
    await bench.sql`insert into connection_checks (id, organization_id, integration_id, credential_kind, created_at)
      values (gen_random_uuid(), ${organizationId}, ${integrationId}, 'api_token', now() - ${`${minutes} minutes`}::interval)`;
  }
  expect(await sweep(bench.database)).toEqual({ ...NOTHING, checks: 1 });
  const checks = await bench.sql`select state, verdict, report #>> '{findings,0,code}' as code
    from connection_checks where integration_id = any(${[left, young].map((tenant) => tenant.integrationId)}::uuid[])
    order by created_at`;
  expect(checks.map((row) => ({ ...row }))).toEqual([
    { state: 'done', verdict: 'failed', code: 'check_interrupted' },
    { state: 'running', verdict: null, code: null },
  ]);

  const { credentialId } = await left.credential();
  await bench.sql`update integrations set draft_expires_at = now() - interval '61 minutes' where id = ${left.integrationId}`;
  await bench.sql`update integrations set draft_expires_at = now() - interval '59 minutes' where id = ${young.integrationId}`;
  expect(await sweep(bench.database)).toEqual({ ...NOTHING, drafts: 1 });
  const drafts = await bench.sql<{ id: string }[]>`select id from integrations`;
  const ids = drafts.map(({ id }) => id);
  expect([left, young, created].map(({ integrationId }) => ids.includes(integrationId))).toEqual([
    false,
    true,
    true,
  ]);
  expect(
    await bench.sql`select from credentials where id = ${credentialId} and sealed is not null`,
  ).toHaveLength(0);
  expect(await bench.sql`select from audit_events where action = 'draft_expired'`).toHaveLength(1);
});

test('a draft that is created, or touched, behind the look of the sweep keeps its credential', async () => {
  const [created, touched] = [await bench.tenant('active'), await bench.tenant('connected')];
  await bench.sql`update integrations set draft_expires_at = now() + interval '1 day'
    where id = ${touched.integrationId}`;
  for (const tenant of [created, touched]) {
    const { credentialId } = await tenant.credential();
    await bench.sql`update credentials set state = 'active' where id = ${credentialId}`;
    const { organizationId, integrationId } = tenant;
    const draft = { organizationId, integrationId, actor: null, leftBehind: true };
    expect(await bench.inTenant(tenant, (tx) => removeDraft(tx, draft))).toBe(false);
    const kept = await bench.sql`select from credentials where id = ${credentialId} and sealed is not null`;
    expect(kept).toHaveLength(1);
  }
});

test('a worker removes its clones of what no integration fetches any more, in every organization', async () => {
  const [one, other] = [await bench.tenant('active'), await bench.tenant('active')];
  const fetched: string[] = [];
  const left: string[] = [];
  for (const tenant of [one, other]) {
    const [kept, released] = await tenant.repositories(2);
    await bench.sql`update repositories set integration_id = ${tenant.integrationId} where id = ${kept!}`;
    await bench.sql`update repositories set integration_id = null where id = ${released!}`;
    fetched.push(kept!);
    left.push(released!);
  }
  const folder = await mkdtemp(join(tmpdir(), 'bucket-brigade-clones-'));
  const ready = join(folder, 'ready');
  for (const id of [...fetched, ...left, randomUUID()]) await mkdir(join(ready, id), { recursive: true });
  const clones = createCloneFolder({ folder, maxBytes: 1_000_000 });
  const { database } = bench;
  expect(await sweepClones({ database, clones })).toBe(3);
  expect((await readdir(ready)).toSorted()).toEqual(fetched.toSorted());
  expect(await sweepClones({ database, clones })).toBe(0);
  await rm(folder, { recursive: true });
});
