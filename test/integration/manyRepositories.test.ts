import { expect, test, vi } from 'vitest';
import { importRepositoryWorkflowId, importWorkflowId } from '../../workflows/ids.ts';
import { IMPORT_TIMING } from '../../workflows/timing.ts';
import { startImportRun } from '../support/importBench.ts';
import { isSoak, seedsTimeoutMs } from '../support/seeds.ts';
import { useWorkflowBench } from '../support/workflowBench.ts';
import { collectHistories, type WorkflowRun } from '../support/workflows.ts';

/**
 * Many repositories, one of them with a million pull requests (reliability.md, F35): no run's history grows with either, and
 * nothing in it is large. In the ordinary run few of them with a limit as much smaller; as many as one fan-out bench has in soak.
 * An import of 10,000 is taken up where all but few have ended.
 */
const MANY = 10_000;
const SHORT = 120;
const { repositories, chunks, historyLimit } = isSoak()
  ? { repositories: 2_000, chunks: 2_400, historyLimit: IMPORT_TIMING.historyLimit }
  : { repositories: 40, chunks: 40, historyLimit: SHORT };
/** What may come behind the moment at which a run decides to continue: its hand ends, told by a child and a signal each. */
const MORE_EVENTS = 16 * 12;
const MOST_BYTES = 16_384;

vi.setConfig({ testTimeout: seedsTimeoutMs() });

const bench = useWorkflowBench();

/** The size of each payload anywhere in a message. */
function payloadSizes(value: unknown): number[] {
  if (value === null || typeof value !== 'object') return [];
  if (value instanceof Uint8Array) return [value.length];
  return Object.values(value).flatMap(payloadSizes);
}

const known = new Set<string | undefined>();

/** How many runs each workflow has had since the last call. None has a long history, or anything large in it. */
async function smallRuns(run: WorkflowRun, limit: number): Promise<Map<string, number>> {
  const runs = new Map<string, number>();
  for (const { run: of, history } of await collectHistories(run.client, run.taskQueue)) {
    if (known.has(of.runId)) continue;
    known.add(of.runId);
    const events = history.events ?? [];
    expect(events.length, of.workflowId).toBeLessThanOrEqual(limit + MORE_EVENTS);
    expect(Math.max(...events.flatMap(payloadSizes)), of.workflowId).toBeLessThan(MOST_BYTES);
    runs.set(of.workflowId, (runs.get(of.workflowId) ?? 0) + 1);
  }
  return runs;
}

test(`an import of ${String(repositories)} repositories: each run's history and payloads stay small`, async () => {
  const tenant = await bench.tenant('active');
  const ids = await tenant.repositories(repositories);
  const importId = await tenant.storeImport({ all: true });
  await bench.run(async (run) => {
    const big = ids[0]!;
    run.bitbucket.chunks.set(big, [
      ...Array.from({ length: chunks }, () => ({ stream: 'pull_requests' as const, records: 1_250 })),
      { done: true },
    ]);
    const handle = await startImportRun(run, tenant, importId, { historyLimit, rollUpEveryMs: 30_000 });
    await handle.result();
    expect(await tenant.importRow(importId)).toMatchObject({
      state: 'completed',
      repositories_total: repositories,
      repositories_completed: repositories,
    });

    const runs = await smallRuns(run, historyLimit);
    expect(runs.get(importWorkflowId(importId))).toBeGreaterThan(1);
    expect(runs.get(importRepositoryWorkflowId(big))).toBeGreaterThan(1);
  });
});

test('what is left of an import of 10,000 repositories is brought in by runs as small', async () => {
  const tenant = await bench.tenant('active');
  await tenant.repositories(MANY);
  const importId = await tenant.storeImport({ all: true });
  const { organizationId, integrationId } = tenant;
  // Its run was lost: one in 250 has not begun, all over the list of names.
  await bench.sql`update imports set state = 'running', started_at = now() where id = ${importId}`;
  await bench.sql`
    insert into import_repositories (organization_id, import_id, repository_id, place, state, started_at, finished_at)
    select ${organizationId}, ${importId}, id, place, case when place % 250 = 0 then 'pending' else 'completed' end,
      case when place % 250 > 0 then now() end, case when place % 250 > 0 then now() end
    from (select id, row_number() over (order by full_name, id) as place from repositories
      where organization_id = ${organizationId}) r`;
  await bench.sql`update repositories r set integration_id = ${integrationId} from import_repositories i
    where i.import_id = ${importId} and i.repository_id = r.id and i.state = 'pending'`;
  // as whoever chose them did
  await bench.sql`analyze import_repositories`;
  await bench.run(async (run) => {
    const handle = await startImportRun(run, tenant, importId, {
      historyLimit: SHORT,
      rollUpEveryMs: 30_000,
    });
    await handle.result();
    expect(await tenant.importRow(importId)).toMatchObject({
      state: 'completed',
      repositories_total: MANY,
      repositories_completed: MANY,
    });
    const runs = await smallRuns(run, SHORT);
    expect(runs.get(importWorkflowId(importId))).toBeGreaterThan(1);
    // Those that had not ended, each in its place: nothing is read twice.
    const rows = await tenant.repositoryRows(importId);
    const places = rows.flatMap(({ id }, index) =>
      runs.has(importRepositoryWorkflowId(id)) ? [index + 1] : [],
    );
    expect(places).toEqual(Array.from({ length: MANY / 250 }, (_, index) => (index + 1) * 250));
  });
});
