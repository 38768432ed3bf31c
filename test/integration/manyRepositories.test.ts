import { expect, test, vi } from 'vitest';
import { importRepositoryWorkflowId, importWorkflowId } from '../../workflows/ids.ts';
import { IMPORT_TIMING } from '../../workflows/timing.ts';
import { startImportRun } from '../support/importBench.ts';
import { isSoak, seedsTimeoutMs } from '../support/seeds.ts';
import { useWorkflowBench } from '../support/workflowBench.ts';
import { collectHistories } from '../support/workflows.ts';

/**
 * Many repositories, one of them with a million pull requests (reliability.md, F35): no run's history grows with either, and
 * nothing in it is large. In the ordinary run few of them with a limit as much smaller; as many as one fan-out bench has in soak.
 */
const { repositories, chunks, historyLimit } = isSoak()
  ? { repositories: 2_000, chunks: 2_400, historyLimit: IMPORT_TIMING.historyLimit }
  : { repositories: 40, chunks: 40, historyLimit: 120 };
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

    const histories = await collectHistories(run.client, run.taskQueue);
    const runsOf = (id: string) => histories.filter(({ run: { workflowId } }) => workflowId === id).length;
    expect(runsOf(importWorkflowId(importId))).toBeGreaterThan(1);
    expect(runsOf(importRepositoryWorkflowId(big))).toBeGreaterThan(1);
    for (const { run: of, history } of histories) {
      const events = history.events ?? [];
      expect(events.length, of.workflowId).toBeLessThanOrEqual(historyLimit + MORE_EVENTS);
      expect(Math.max(...events.flatMap(payloadSizes)), of.workflowId).toBeLessThan(MOST_BYTES);
    }
  });
});
