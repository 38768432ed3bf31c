import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import { bundleWorkflowCode, DefaultLogger, NativeConnection } from '@temporalio/worker';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { createWorkers, runWorkers } from '../../worker/createWorkers.ts';
import type { standStill } from '../support/standstill/workflow.ts';
import { quietRuntime } from '../support/workflows.ts';

/** More than the 5 s after which the SDK ends the script of a task, and the worker with it; less than a task's 10 s. */
const STANDSTILL_MS = 6_000;

/** A worker without activities is none. */
const UNUSED = { unused: async () => {} } as never;

let connection: Connection;
let native: NativeConnection;
beforeAll(async () => {
  const { temporalAddress: address } = inject('servers');
  quietRuntime();
  [connection, native] = await Promise.all([
    Connection.connect({ address }),
    NativeConnection.connect({ address }),
  ]);
});
afterAll(async () => {
  await connection?.close();
  await native?.close();
});

test('a machine that stands still in the middle of a workflow task does not end the worker: the task goes on', async () => {
  const { temporalNamespace: namespace } = inject('servers');
  const taskQueue = `test-${randomUUID()}`;
  const workers = await createWorkers({
    connection: native,
    namespace,
    taskQueue,
    workflowBundle: await bundleWorkflowCode({
      workflowsPath: fileURLToPath(new URL('../support/standstill/workflow.ts', import.meta.url)),
      logger: new DefaultLogger('ERROR'),
    }),
    rowActivities: UNUSED,
    bitbucketActivities: UNUSED,
  });
  const running = runWorkers(workers);
  const { workflow } = new Client({ connection, namespace });
  try {
    const handle = await workflow.start<typeof standStill>('standStill', {
      taskQueue,
      workflowId: taskQueue,
      // A task that was ended comes again for ever.
      workflowExecutionTimeout: '30 seconds',
      args: [STANDSTILL_MS],
    });
    expect(await handle.result()).toBe('timed-out');
    const { events } = await handle.fetchHistory();
    expect(events?.some((event) => event.workflowTaskFailedEventAttributes)).toBe(false);
  } finally {
    for (const worker of [workers.rows, workers.bitbucket]) worker.shutdown();
    await running;
  }
});
