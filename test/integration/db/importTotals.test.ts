import { sql } from 'drizzle-orm';
import { describe, expect, test } from 'vitest';
import { totalCompleteness } from '../../../db/queries/api/completeness.ts';
import { totalStreams } from '../../../db/queries/api/imports.ts';
import { reopenFailed } from '../../../db/queries/importControl.ts';
import { rollUp } from '../../../db/queries/imports.ts';
import { analyzeChosen } from '../../../db/queries/importSelection.ts';
import { settleStreams } from '../../../db/queries/importTotals.ts';
import { IMPORT_REPOSITORY_STATES, STREAM_STATES, STREAMS } from '../../../workflows/words.ts';
import { useDatabaseBench } from '../../support/databaseBench.ts';
import { seededRandom } from '../../support/seededRandom.ts';
import { waitFor } from '../../support/waitFor.ts';

const bench = useDatabaseBench({ role: 'worker', maxConnections: 4 });

async function begun(repositories: number) {
  const tenant = await bench.tenant('active');
  const ids = await tenant.repositories(repositories);
  const importId = await tenant.storeImport({ all: true });
  for (const [at, id] of ids.entries()) {
    await bench.sql`insert into import_repositories (organization_id, import_id, repository_id, place)
      values (${tenant.organizationId}, ${importId}, ${id}, ${at + 1})`;
  }
  const totals = () =>
    bench.inTenant(tenant, async (tx) => ({
      streams: (await totalStreams(tx, importId)).map((row) => ({
        ...row,
        recordsPerSecond: 0,
        requestsLeft: 0,
      })),
      completeness: [...(await totalCompleteness(tx, importId))],
      rolledUp: await rollUp(tx, importId),
    }));
  return { tenant, ids, importId, totals };
}

test('a worker may have Postgres count what an import took up', async () => {
  const { ids } = await begun(3);
  await bench.database.statement(analyzeChosen);
  const [table] = await bench.sql<{ rows: number }[]>`
    select reltuples::int as rows from pg_class where relname = 'import_repositories'`;
  expect(table?.rows).toBeGreaterThanOrEqual(ids.length);
});

describe('the totals of an import', () => {
  test('count those that are left failed when others are tried again, whatever was rolled up before', async () => {
    const { tenant, ids, importId } = await begun(3);
    await bench.sql`update import_repositories set state = 'failed' where import_id = ${importId}`;
    const failedBehindRetryOf = async (id: string) => {
      await bench.inTenant(tenant, (tx) => reopenFailed(tx, { importId, repositoryIds: [id] }));
      return (await tenant.importRow(importId))?.['repositories_failed'];
    };
    expect(await failedBehindRetryOf(ids[0]!)).toBe(2);
    expect(await failedBehindRetryOf(ids[1]!)).toBe(1);
  });

  test('say that it waits when the last two repositories in hand come to wait at the same moment', async () => {
    const { tenant, ids, importId } = await begun(2);
    await bench.sql`update imports set state = 'running' where id = ${importId}`;
    await bench.sql`update import_repositories set state = 'running' where import_id = ${importId}`;
    const waits = (id: string | undefined) =>
      sql`update import_repositories set state = 'rate_limited', waiting_since = now(),
        waiting_until = now() + interval '1 minute', waiting_reason = 'Bitbucket asked to wait' where repository_id = ${id}`;
    let other: Promise<unknown> | undefined;
    await bench.inTenant(tenant, async (tx) => {
      await tx.execute(waits(ids[0]));
      await rollUp(tx, importId);
      other = bench.inTenant(tenant, async (behind) => {
        await behind.execute(waits(ids[1]));
        await rollUp(behind, importId);
      });
      await waitFor({
        what: 'the other one is behind this one',
        read: () => bench.sql`select from pg_stat_activity
          where datname = current_database() and cardinality(pg_blocking_pids(pid)) > 0`,
        until: (blocked) => blocked.length > 0,
        timeoutMs: 10_000,
      });
    });
    await other;
    const [shown] = await bench.sql`select state, waiting_reason as why from imports where id = ${importId}`;
    expect(shown).toEqual({ state: 'rate_limited', why: 'Bitbucket asked to wait' });
  });

  test('are the same whatever was counted before, however its streams change', async () => {
    const { tenant, ids, importId, totals } = await begun(5);
    const random = seededRandom(11);
    const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!;
    let counted = 0;
    for (let step = 0; step < 50; step += 1) {
      const id = pick(ids);
      const change = pick([
        () => sql`insert into import_streams as i (organization_id, import_id, repository_id, stream, state, records_stored,
            records_expected, quarantined, requests, expected_basis, last_error)
          values (${tenant.organizationId}, ${importId}, ${id}, ${pick(STREAMS)}, ${pick(STREAM_STATES)}, ${pick([1, 2, 3])},
            ${pick([null, 2, 3])}::int, ${pick([0, 1])}, 4, ${pick([null, 'size'])}::text, ${pick([null, '{"code": "incomplete"}'])}::jsonb)
          on conflict (organization_id, import_id, repository_id, stream) do update set state = excluded.state,
            records_stored = i.records_stored + excluded.records_stored, records_expected = excluded.records_expected,
            requests = i.requests + excluded.requests, method = ${pick([null, 'feed'])}::text`,
        () => sql`update import_repositories set state = ${pick(IMPORT_REPOSITORY_STATES)}, finished_at = now()
          where repository_id = ${id}`,
        () => sql`update import_streams set quarantined = 0 where stream = ${pick(STREAMS)}`,
        () => sql`delete from import_streams where repository_id = ${id} and stream = ${pick(STREAMS)}`,
        undefined,
      ]);
      if (change !== undefined) await bench.inTenant(tenant, (tx) => tx.execute(change()));
      else await bench.inTenant(tenant, (tx) => settleStreams(tx, { importId, keep: 'none' }));
      const shown = await totals();
      const [row] = await bench.sql`select count(*)::int as settled from import_streams where settled`;
      counted = Math.max(counted, row?.['settled'] ?? 0);
      const [wrong] =
        await bench.sql`select count(*)::int as found from import_streams s join import_repositories r
        using (import_id, repository_id) where s.settled and r.state not in ('completed', 'failed', 'cancelled')`;
      expect(wrong?.['found'], `step ${step}`).toBe(0);
      // Nothing counted: all of it is added up from the streams themselves.
      await bench.sql.begin(async (all) => {
        await all`set local session_replication_role = replica`;
        await all`update import_streams set settled = false`;
        await all`delete from import_totals`;
      });
      const addedUp = await totals();
      expect(shown, `step ${step}`).toEqual(addedUp);
      await bench.inTenant(tenant, (tx) => settleStreams(tx, { importId, keep: 'none' }));
    }
    expect(counted).toBeGreaterThan(3);
  });

  test('leave out for two minutes what says how fast the import goes', async () => {
    const { tenant, ids, importId } = await begun(2);
    await bench.sql`insert into import_streams (organization_id, import_id, repository_id, stream, state)
      select organization_id, import_id, repository_id, 'refs', 'healthy' from import_repositories where import_id = ${importId}`;
    await bench.sql`update import_repositories set state = 'completed', finished_at = now() where import_id = ${importId}`;
    await bench.sql`update import_repositories set finished_at = now() - interval '3 minutes' where repository_id = ${ids[0]!}`;
    const settled = async () =>
      (
        await bench.sql`select repository_id as id from import_streams where import_id = ${importId} and settled`
      ).map(({ id }) => id as string);
    await bench.inTenant(tenant, (tx) => settleStreams(tx, { importId, keep: 'rates' }));
    expect(await settled()).toEqual([ids[0]]);
    await bench.inTenant(tenant, (tx) => settleStreams(tx, { importId, keep: 'none' }));
    expect((await settled()).toSorted()).toEqual(ids.toSorted());
  });
});
