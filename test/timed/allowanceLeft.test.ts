import { expect, test } from 'vitest';
import { walker } from '../../activities/bitbucket/asker.ts';
import { createRequestGate } from '../../activities/bitbucket/requestGate.ts';
import { markWoken, wakeAll } from '../../worker/wakeWaiting.ts';
import { importRepositoryWorkflowId } from '../../workflows/ids.ts';
import * as messages from '../../workflows/messages.ts';
import { untilCalled } from '../support/bitbucketCalls.ts';
import { refusal } from '../support/gateBench.ts';
import {
  EFFECTIVE_MS,
  repositoryRun,
  startImportRun,
  tellImport,
  untilRepository,
} from '../support/importBench.ts';
import { type BenchRun, useWorkflowBench } from '../support/workflowBench.ts';

/** Two imports of one Bitbucket account that wait for its allowance: what the one needs no more is the other's at once. */
const bench = useWorkflowBench();

const LIMIT = 100;
const RESERVE = 3;
const inAnHour = () => ({
  limited: { until: new Date(Date.now() + 3_600_000).toISOString(), why: 'Bitbucket allowance' },
});

/** An import whose only repository waits for an hour. */
async function begin(run: BenchRun) {
  const tenant = await bench.tenant('active');
  const [id = ''] = await tenant.repositories(1);
  const importId = await tenant.storeImport({ all: true });
  run.bitbucket.chunks.set(id, [inAnHour(), { done: true }]);
  const handle = await startImportRun(run, tenant, importId);
  await untilRepository(tenant, importId, id, 'rate_limited', 10_000);
  return { tenant, id, importId, handle, waiter: importRepositoryWorkflowId(id) };
}

test.each([
  ['cancelled', messages.cancelImport],
  ['paused', messages.pauseImport],
] as const)(
  'one that waits goes on early when another is %s, for which room was kept',
  async (state, word) => {
    await bench.run(async (run) => {
      const [busy, late] = [await begin(run), await begin(run)];
      const window = { accountKey: `account of ${busy.importId}`, group: 'repository_data' } as const;
      const gate = createRequestGate({ database: bench.database, limits: { repository_data: LIMIT } });
      const ask = ({ importId, waiter }: typeof busy, requests = 1) =>
        gate.take({
          ...window,
          asker: walker(importId, waiter),
          requests,
          deadlineMs: 60_000,
          maxWaitMs: 0,
          signal: new AbortController().signal,
        });
      const all = await ask(busy, LIMIT - RESERVE);
      await all.answered({ status: 200, headers: new Headers() });
      for (const one of [busy, late]) await refusal(ask(one));
      // Half of them leave the window. That is the late one's, up to as many as the busy one has.
      await bench.sql`update request_uses set requests = 48 where requests > 0 and account_key = ${window.accountKey}`;
      const woken = await markWoken(bench.database);
      expect(woken).toContain(late.waiter);
      expect(woken).not.toContain(busy.waiter);
      // Woken, it asks for more than there is, and waits on.
      await bench.sql`update request_waits set until = now() + interval '1 hour', woken_at = null
      where waiter = ${late.waiter}`;

      await tellImport(run, late.importId, word);
      await untilRepository(late.tenant, late.importId, late.id, state);
      if (state === 'cancelled') await repositoryRun(run, late.id).result();
      await wakeAll(bench.database, run.client);
      await untilCalled(run, `importChunk ${busy.id}`, 2, EFFECTIVE_MS);
      await busy.handle.result();
      expect(await busy.tenant.importRow(busy.importId)).toMatchObject({ state: 'completed' });
      if (word === messages.pauseImport) await tellImport(run, late.importId, messages.resumeImport);
      await late.handle.result();
    });
  },
);
