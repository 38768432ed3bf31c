import { expect, test } from 'vitest';
import { AttemptOver, mustBeInTime } from '../../platform/attempt.ts';
import * as messages from '../../workflows/messages.ts';
import { waitFor } from '../support/waitFor.ts';
import { actor, command, integrationGoesOn, useWorkflowBench } from '../support/workflowBench.ts';

/** An attempt that only writes rows is over for Temporal behind so long (`workflows/policies.ts`). */
const OVER_MS = 10_000;

const bench = useWorkflowBench();

test('an attempt that froze before it wrote is over for its worker too, once another one has written', async () => {
  const tenant = await bench.tenant('active');
  await bench.run(async (run) => {
    let met: unknown;
    bench.meanwhile('saveIntegration', {
      before: async () => {
        await waitFor({
          what: 'the next attempt has written',
          read: async () => (await tenant.integration())?.['name'],
          until: (name) => name === 'Renamed',
          timeoutMs: 3 * OVER_MS,
        });
        try {
          mustBeInTime();
          met = 'in time';
        } catch (error) {
          met = error;
        }
      },
    });
    await command(run, tenant, messages.rename, { name: 'Renamed', actor });
    await waitFor({ what: 'the first attempt went on', read: () => met, until: (it) => it !== undefined });
    expect(met).toBeInstanceOf(AttemptOver);
  }, integrationGoesOn(tenant));
});
