import { randomUUID } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Client, Connection, type WorkflowHandle } from '@temporalio/client';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { inject } from 'vitest';
import { createWorkers, runWorkers, type WorkersOptions } from '../../worker/createWorkers.ts';

type History = Awaited<ReturnType<WorkflowHandle['fetchHistory']>>;
type Activities = Pick<WorkersOptions, 'rowActivities' | 'bitbucketActivities'>;

/** What one test has: a client, a task queue of its own, workers that it may restart. */
export interface WorkflowRun {
  readonly client: Client;
  readonly taskQueue: string;
  /** Stops the workers in order and starts new ones, which know nothing and replay. */
  restart(): Promise<void>;
  stopWorkers(): Promise<void>;
  /** Keeps the run's history under `test/histories/` when RECORD_HISTORIES is set; does nothing otherwise. */
  record(name: string, workflowId: string, runId?: string): Promise<void>;
}

export interface WorkflowRig {
  readonly client: Client;
  /**
   * Runs a test with workers on a task queue of its own. Afterwards every run that it started, children and former runs
   * of a chain included, is replayed, and one that has not ended and is not in `unfinished` fails the test.
   */
  run(
    activities: (client: Client) => Activities,
    test: (run: WorkflowRun) => Promise<void>,
    options?: { unfinished?: () => readonly string[] },
  ): Promise<void>;
  close(): Promise<void>;
}

let isQuiet = false;

/** Temporal's runtime is one a process: it logs errors only. */
function quietRuntime(): void {
  if (!isQuiet) Runtime.install({ logger: new DefaultLogger('ERROR') });
  isQuiet = true;
}

/** The workflows' bundle, made once for all files of a run. */
const workflowBundle = () => ({ codePath: inject('servers').workflowBundle });

/** Call in `beforeAll`, and `close` in `afterAll`. Uses the dev server of `globalSetup`. */
export async function createWorkflowRig(): Promise<WorkflowRig> {
  const { temporalAddress: address, temporalNamespace: namespace } = inject('servers');
  quietRuntime();
  const [connection, native] = await Promise.all([
    Connection.connect({ address }),
    NativeConnection.connect({ address }),
  ]);
  const client = new Client({ connection, namespace });

  return {
    client,

    async run(activities, test, { unfinished = () => [] } = {}) {
      const taskQueue = `test-${randomUUID()}`;
      const given = activities(client);
      const start = async () => {
        const workers = await createWorkers({
          connection: native,
          namespace,
          taskQueue,
          workflowBundle: workflowBundle(),
          shutdownGraceTime: '1 second',
          ...given,
        });
        const running = runWorkers(workers);
        // A failure is reported by `stop`; until then nobody listens.
        running.catch(() => {});
        return async () => {
          for (const worker of [workers.rows, workers.bitbucket]) {
            if (worker.getState() === 'RUNNING') worker.shutdown();
          }
          await running;
        };
      };
      let stop: (() => Promise<void>) | null = await start();
      const stopWorkers = async () => {
        await stop?.();
        stop = null;
      };
      try {
        await test({
          client,
          taskQueue,
          stopWorkers,
          record: (name, workflowId, runId) => recordHistory(client, name, workflowId, runId),
          async restart() {
            await stopWorkers();
            stop = await start();
          },
        });
        await settle(client, taskQueue, unfinished());
      } finally {
        await stopWorkers();
      }
      await verifyRuns(client, taskQueue, unfinished());
    },

    async close() {
      await connection.close();
      await native.close();
    },
  };
}

interface Run {
  workflowId: string;
  runId: string;
}

/** Every run on the queue by its history: what visibility lists, their children, and the runs they continued. */
export async function collectHistories(
  client: Client,
  taskQueue: string,
): Promise<{ run: Run; history: History }[]> {
  const todo: Run[] = [];
  for await (const { workflowId, runId } of client.workflow.list({ query: `TaskQueue = '${taskQueue}'` })) {
    todo.push({ workflowId, runId });
  }
  const found = new Map<string, { run: Run; history: History }>();
  for (let run = todo.pop(); run !== undefined; run = todo.pop()) {
    if (found.has(run.runId)) continue;
    const history = await client.workflow.getHandle(run.workflowId, run.runId).fetchHistory();
    found.set(run.runId, { run, history });
    for (const event of history.events ?? []) {
      const child = event.childWorkflowExecutionStartedEventAttributes?.workflowExecution;
      if (child?.workflowId && child.runId) todo.push({ workflowId: child.workflowId, runId: child.runId });
      const before = event.workflowExecutionStartedEventAttributes?.continuedExecutionRunId;
      if (before) todo.push({ workflowId: run.workflowId, runId: before });
      const after = event.workflowExecutionContinuedAsNewEventAttributes?.newExecutionRunId;
      if (after) todo.push({ workflowId: run.workflowId, runId: after });
    }
  }
  return [...found.values()];
}

/** Lets runs that are about to end do so while the workers live; those that do not are found by `verifyRuns`. */
async function settle(client: Client, taskQueue: string, unfinished: readonly string[]): Promise<void> {
  const query = `TaskQueue = '${taskQueue}' AND ExecutionStatus = 'Running'`;
  const deadline = Date.now() + 10_000;
  for (;;) {
    const open: string[] = [];
    for await (const { workflowId } of client.workflow.list({ query })) open.push(workflowId);
    if (open.every((id) => unfinished.includes(id)) || Date.now() > deadline) return;
    await sleep(100);
  }
}

/** Replays the runs and fails for those that have not ended, unless they are expected to go on. */
async function verifyRuns(client: Client, taskQueue: string, unfinished: readonly string[]): Promise<void> {
  const collected = await collectHistories(client, taskQueue);
  if (collected.length === 0) throw new Error('The test started no workflow: nothing was replayed.');
  await replay(
    collected
      // A run whose first task is not done yet holds nothing to replay (and the replayer would wait for it for ever).
      .filter(({ history }) => history.events?.some((event) => event.workflowTaskCompletedEventAttributes))
      .map(({ run, history }) => ({ workflowId: run.workflowId, history })),
  );
  const open: string[] = [];
  for (const { run } of collected) {
    const { status } = await client.workflow.getHandle(run.workflowId, run.runId).describe();
    if (status.name !== 'RUNNING') continue;
    await client.workflow.getHandle(run.workflowId, run.runId).terminate('the test is over');
    if (!unfinished.includes(run.workflowId)) open.push(run.workflowId);
  }
  if (open.length > 0) throw new Error(`These runs have not ended: ${open.join(', ')}`);
}

/** Where the recorded histories lie; `histories.test.ts` replays them. */
export const HISTORIES = new URL('../histories/', import.meta.url);

async function recordHistory(
  client: Client,
  name: string,
  workflowId: string,
  runId: string | undefined,
): Promise<void> {
  if (process.env['RECORD_HISTORIES'] === undefined) return;
  const history = await client.workflow.getHandle(workflowId, runId).fetchHistory();
  await mkdir(HISTORIES, { recursive: true });
  const text = historyToJSON(history)
    // of this machine: where the sources lie in stack traces, and who ran it
    .replaceAll(fileURLToPath(new URL('../../', import.meta.url)), '')
    .replaceAll(/\d+@[\w.-]+/g, 'recorded');
  await writeFile(new URL(`${name}.json`, HISTORIES), text);
}

/** Replays histories against the workflows as they are now; throws for the first that takes another way. */
export async function replay(histories: { workflowId: string; history: unknown }[]): Promise<void> {
  quietRuntime();
  const results = Worker.runReplayHistories({ workflowBundle: workflowBundle() }, histories);
  for await (const { workflowId, error } of results) {
    if (error !== undefined)
      throw new Error(`The history of ${workflowId} does not replay.`, { cause: error });
  }
}
