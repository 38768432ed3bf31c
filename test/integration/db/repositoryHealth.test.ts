import { sql } from 'drizzle-orm';
import { describe, expect, test } from 'vitest';
import { summarizeHealth } from '../../../db/queries/api/health.ts';
import { BY_URGENCY, STREAM_STATES, STREAMS, type StreamState } from '../../../workflows/words.ts';
import { useDatabaseBench } from '../../support/databaseBench.ts';
import type { TestTenant } from '../../support/integrationRows.ts';
import { countRowsRead } from '../../support/rowsRead.ts';
import { seededRandom } from '../../support/seededRandom.ts';

const bench = useDatabaseBench({ role: 'worker', maxConnections: 4 });

/** How the repositories fare by the rule, from the streams and syncs themselves. */
async function byTheRule({ organizationId }: TestTenant) {
  const rows = await bench.sql<
    {
      id: string;
      integration: string | null;
      name: string;
      imported: boolean;
      states: Record<string, StreamState>;
      sync_fails: boolean;
    }[]
  >`
    select r.id, r.integration_id as integration, r.full_name as name, r.first_imported_at is not null as imported,
      coalesce((select jsonb_object_agg(s.stream, s.state) from streams s where s.repository_id = r.id), '{}') as states,
      exists (select from repository_syncs y where y.repository_id = r.id and y.failing_since is not null) as sync_fails
    from repositories r where r.organization_id = ${organizationId} order by r.id`;
  return rows.map(({ states, sync_fails, ...row }) => {
    const there = Object.values(states);
    const worst = BY_URGENCY.find((state) => there.includes(state)) ?? 'never';
    return {
      ...row,
      state: sync_fails ? 'failed' : worst,
      streams: Object.entries(states)
        .map(([stream, state]) => `${stream} ${state}`)
        .toSorted()
        .join(','),
    };
  });
}

const kept = async ({ organizationId }: TestTenant) => [
  ...(await bench.sql`
    select repository_id as id, integration_id as integration, full_name as name, imported, state,
      stream_states as streams
    from repository_health where organization_id = ${organizationId} order by repository_id`),
];

describe('how repositories fare, in a row of each', () => {
  test('is looked at without reading rows of the other repositories of the organization', async () => {
    const tenant = await bench.tenant('active');
    const ids = await tenant.repositories(60);
    for (const id of ids)
      await bench.sql`insert into repository_syncs (organization_id, repository_id) values (${tenant.organizationId}, ${id})`;
    const read = await bench.inTenant(tenant, (tx) =>
      countRowsRead(tx, ['repository_syncs', 'repository_health', 'integration_repositories'], () =>
        tx.execute(sql`insert into streams (organization_id, repository_id, stream, state)
          values (${tenant.organizationId}, ${ids[0]}, 'refs', 'processing')`),
      ),
    );
    // Each of its own rows at most three times.
    expect(read).toBeLessThanOrEqual(9);
    expect(read).toBeGreaterThan(0);
  });

  test('is what the rule says of streams and syncs after any change of them', async () => {
    const tenant = await bench.tenant('active');
    const ids = await tenant.repositories(6);
    const random = seededRandom(7);
    const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!;
    for (let step = 0; step < 60; step += 1) {
      const id = pick(ids);
      const change = pick([
        () => sql`insert into streams (organization_id, repository_id, stream, state)
          values (${tenant.organizationId}, ${id}, ${pick(STREAMS)}, ${pick(STREAM_STATES)})
          on conflict (organization_id, repository_id, stream) do update set state = excluded.state`,
        () =>
          sql`update streams set state = ${pick(STREAM_STATES)}, failing_since = now() where repository_id = ${id}`,
        () => sql`update streams set position = '{"page": 2}'`,
        () => sql`update streams set state = ${pick(STREAM_STATES)} where stream = ${pick(STREAMS)}`,
        () => sql`delete from streams where repository_id = ${id} and stream = ${pick(STREAMS)}`,
        () => sql`insert into repository_syncs (organization_id, repository_id, failing_since)
          values (${tenant.organizationId}, ${id}, ${pick([null, '2026-01-01T00:00:00Z'])}::timestamptz)
          on conflict (organization_id, repository_id) do update set failing_since = excluded.failing_since`,
        () => sql`delete from repository_syncs where repository_id = ${id}`,
        () => sql`update repositories set full_name = ${`acme/${step}`}, integration_id = ${pick([null, tenant.integrationId])},
          first_imported_at = ${pick([null, '2026-01-01T00:00:00Z'])}::timestamptz where id = ${id}`,
      ]);
      await bench.inTenant(tenant, (tx) => tx.execute(change()));
      expect(await kept(tenant), `step ${step}`).toEqual(await byTheRule(tenant));
    }
    await bench.inTenant(tenant, (tx) => tx.execute(sql`delete from repositories where id = ${ids[0]!}`));
    expect(await kept(tenant)).toEqual(await byTheRule(tenant));
  });

  test('holds both changes when two streams of a repository change at the same moment', async () => {
    const tenant = await bench.tenant('active');
    const [id] = await tenant.repositories(1);
    for (const stream of ['refs', 'commits'])
      await bench.sql`insert into streams (organization_id, repository_id, stream) values (${tenant.organizationId}, ${id!}, ${stream})`;
    let first = (): void => {};
    const firstIsDone = new Promise<void>((resolve) => (first = resolve));
    let commit = (): void => {};
    const mayCommit = new Promise<void>((resolve) => (commit = resolve));
    const one = bench.inTenant(tenant, async (tx) => {
      await tx.execute(sql`update streams set state = 'healthy' where stream = 'refs'`);
      first();
      await mayCommit;
    });
    await firstIsDone;
    const other = bench.inTenant(tenant, (tx) =>
      tx.execute(sql`update streams set state = 'failed' where stream = 'commits'`),
    );
    await expect
      .poll(async () => (await bench.sql`select from pg_locks where not granted`).length, { timeout: 10_000 })
      .toBeGreaterThan(0);
    commit();
    await Promise.all([one, other]);
    expect(await kept(tenant)).toMatchObject([{ state: 'failed', streams: 'commits failed,refs healthy' }]);
  });

  test('is summarized by state and by stream, with the first failure and the last attempt', async () => {
    const tenant = await bench.tenant('active');
    const ids = await tenant.repositories(3);
    await bench.sql`update repositories set integration_id = ${tenant.integrationId} where organization_id = ${tenant.organizationId}`;
    await bench.sql`insert into streams (organization_id, repository_id, stream, state, failing_since, last_attempt_at)
      select ${tenant.organizationId}, id, stream, state, since::timestamptz, '2026-02-02T00:00:00Z'::timestamptz
      from unnest(${[ids[0]!, ids[0]!, ids[1]!]}::uuid[], ${['refs', 'commits', 'refs']}::text[],
        ${['healthy', 'failed', 'healthy']}::text[], ${[null, '2026-01-01T00:00:00Z', null]}::text[])
        as s (id, stream, state, since)`;
    await bench.sql`insert into repository_syncs (organization_id, repository_id, last_attempt_at, next_attempt_at)
      values (${tenant.organizationId}, ${ids[2]!}, '2026-03-03T00:00:00Z', '2026-04-04T00:00:00Z')`;
    expect(await bench.inTenant(tenant, (tx) => summarizeHealth(tx, tenant.integrationId))).toMatchObject({
      repositories: [
        { state: 'failed', count: 1 },
        { state: 'healthy', count: 1 },
        { state: 'never', count: 1 },
      ],
      streams: [
        { stream: 'commits', state: 'failed', count: 1 },
        { stream: 'refs', state: 'healthy', count: 2 },
      ],
      failingSince: expect.stringContaining('2026-01-01'),
      lastAttemptAt: expect.stringContaining('2026-03-03'),
      nextAttemptAt: expect.stringContaining('2026-04-04'),
    });
  });
});
