import { randomUUID } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Client, Connection, type WorkflowHandle } from '@temporalio/client';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { globalHandlers } from '@temporalio/worker/lib/workflow/vm-shared.js';
import { expect, inject } from 'vitest';
import { createWorkers, runWorkers, type WorkersOptions } from '../../worker/createWorkers.ts';

type History = Awaited<ReturnType<WorkflowHandle['fetchHistory']>>;
export type RigActivities = Pick<WorkersOptions, 'rowActivities' | 'bitbucketActivities' | 'attempts'>;

/** What one test has: a client, the file's task queue, workers that it may restart. */
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
   * Runs a test on the file's workers. Afterwards a run that it started and that has not ended and is not in
   * `unfinished` fails the test; all of them, children and former runs of a chain included, are ended, and their
   * histories kept for `close`.
   */
  run(
    test: (run: WorkflowRun) => Promise<void>,
    options?: { unfinished?: () => readonly string[] },
  ): Promise<void>;
  /** Replays every run of all tests; throws for one that takes another way. */
  close(): Promise<void>;
}

let isQuiet = false;

/** Temporal's runtime is one a process: it logs errors only. */
export function quietRuntime(): void {
  if (!isQuiet) Runtime.install({ logger: new DefaultLogger('ERROR') });
  isQuiet = true;
}

/** The workflows' bundle, made once for all files of a run. */
const workflowBundle = () => ({ codePath: inject('servers').workflowBundle });

/**
 * Call in `beforeAll`, and `close` in `afterAll`. Uses the dev server of `globalSetup`. The workers are the file's: to
 * create them takes longer than many a test. The activities are asked for once.
 */
export async function createWorkflowRig(
  activities: (client: Client, taskQueue: string) => RigActivities,
): Promise<WorkflowRig> {
  const { temporalAddress: address, temporalNamespace: namespace } = inject('servers');
  quietRuntime();
  const [connection, native] = await Promise.all([
    Connection.connect({ address }),
    NativeConnection.connect({ address }),
  ]);
  const client = new Client({ connection, namespace });
  const taskQueue = `test-${randomUUID()}`;
  const given = activities(client, taskQueue);
  const collected: (Collected & { test: string | undefined })[] = [];
  let stop: (() => Promise<void>) | null = null;

  async function start(): Promise<void> {
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
    stop = async () => {
      for (const worker of [workers.rows, workers.bitbucket]) {
        if (worker.getState() === 'RUNNING') worker.shutdown();
      }
      await running;
    };
  }

  async function stopWorkers(): Promise<void> {
    await stop?.();
    stop = null;
  }

  return {
    client,

    async run(test, { unfinished = () => [] } = {}) {
      if (stop === null) await start();
      try {
        await test({
          client,
          taskQueue,
          stopWorkers,
          record: (name, workflowId, runId) => recordHistory(client, name, workflowId, runId),
          async restart() {
            await stopWorkers();
            await start();
          },
        });
        await settle(client, taskQueue, unfinished());
      } catch (error) {
        await endRuns(client, await listOpen(client, taskQueue));
        throw error;
      }
      const known = new Set(collected.map(({ run }) => run.runId));
      const found = await collectHistories(client, taskQueue, known);
      if (found.length === 0) throw new Error('The test started no workflow: nothing would be replayed.');
      const { currentTestName } = expect.getState();
      collected.push(...found.map((one) => ({ ...one, test: currentTestName })));
      const ended = await endRuns(
        client,
        found.map(({ run }) => run),
      );
      const open = ended.filter((id) => !unfinished().includes(id));
      if (open.length > 0) throw new Error(`These runs have not ended: ${open.join(', ')}`);
    },

    async close() {
      await stopWorkers();
      try {
        await replay(
          collected
            // A run whose first task is not done yet holds nothing to replay (and the replayer would wait for it for ever).
            .filter(({ history }) =>
              history.events?.some((event) => event.workflowTaskCompletedEventAttributes),
            )
            .map(({ run, history }) => ({ workflowId: run.workflowId, history })),
          (workflowId) => collected.find(({ run }) => run.workflowId === workflowId)?.test,
        );
      } finally {
        await connection.close();
        await native.close();
      }
    },
  };
}

interface Run {
  workflowId: string;
  runId: string;
}

interface Collected {
  run: Run;
  history: History;
}

/** Every run on the queue by its history: what visibility lists, their children, and the runs they continued. */
export async function collectHistories(
  client: Client,
  taskQueue: string,
  known: ReadonlySet<string> = new Set(),
): Promise<Collected[]> {
  const todo: Run[] = [];
  for await (const { workflowId, runId } of client.workflow.list({ query: `TaskQueue = '${taskQueue}'` })) {
    todo.push({ workflowId, runId });
  }
  const found = new Map<string, Collected>();
  for (let run = todo.pop(); run !== undefined; run = todo.pop()) {
    if (found.has(run.runId) || known.has(run.runId)) continue;
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

async function listOpen(client: Client, taskQueue: string): Promise<Run[]> {
  const open: Run[] = [];
  const query = `TaskQueue = '${taskQueue}' AND ExecutionStatus = 'Running'`;
  for await (const { workflowId, runId } of client.workflow.list({ query })) open.push({ workflowId, runId });
  return open;
}

/**
 * Lets runs that are about to end do so; those that do not are found by `endRuns`. A task that was lost with a worker that
 * stopped comes again after 10 s.
 */
async function settle(client: Client, taskQueue: string, unfinished: readonly string[]): Promise<void> {
  const deadline = Date.now() + 30_000;
  for (;;) {
    const open = await listOpen(client, taskQueue);
    if (open.every(({ workflowId }) => unfinished.includes(workflowId)) || Date.now() > deadline) return;
    await sleep(100);
  }
}

/** Terminates those that are still open, so that the next test has the workers for itself; returns their ids. */
async function endRuns(client: Client, runs: readonly Run[]): Promise<string[]> {
  const ended: string[] = [];
  for (const { workflowId, runId } of runs) {
    const handle = client.workflow.getHandle(workflowId, runId);
    if ((await handle.describe()).status.name !== 'RUNNING') continue;
    await handle.terminate('the test is over');
    ended.push(workflowId);
  }
  return ended;
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

/**
 * A replay runs on the test's own thread, where the SDK would follow every promise, the test's too and from then on, to
 * be able to say where a workflow stands: 27 of the 433 processor seconds of the integration tests, and nobody asks. Told
 * that its hooks are there, it leaves them out.
 */
function replayWithoutStackTraces(): void {
  Object.assign(globalHandlers, { installed: true });
}

/**
 * Replays histories against the workflows as they are now; throws for the first that takes another way.
 * `origin`: what started it, for the message.
 */
export async function replay(
  histories: { workflowId: string; history: unknown }[],
  origin: (workflowId: string) => string | undefined = () => undefined,
): Promise<void> {
  quietRuntime();
  replayWithoutStackTraces();
  const results = Worker.runReplayHistories({ workflowBundle: workflowBundle() }, histories);
  for await (const { workflowId, error } of results) {
    if (error === undefined) continue;
    const from = origin(workflowId);
    throw new Error(
      `The history of ${workflowId}${from === undefined ? '' : ` (${from})`} does not replay.`,
      {
        cause: error,
      },
    );
  }
}
