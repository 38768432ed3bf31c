import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type NativeConnection, Worker, type WorkerOptions } from '@temporalio/worker';
import { createCastErrors } from '../activities/castErrors.ts';
import type { Activities } from '../activities/index.ts';
import { bitbucketQueue } from '../workflows/taskQueues.ts';
import { createAttemptEnds } from './attemptEnds.ts';
import type { AttemptsInHand } from './attemptsInHand.ts';

export interface WorkersOptions {
  connection: NativeConnection;
  namespace: string;
  /** of the workflows; the queue of what calls Bitbucket is derived from it */
  taskQueue: string;
  /** code or path of the workflows' bundle; left out: the one beside the compiled worker, or else the sources are bundled now */
  workflowBundle?: NonNullable<WorkerOptions['workflowBundle']>;
  rowActivities: Activities['rowActivities'];
  bitbucketActivities: Activities['bitbucketActivities'];
  /** around every activity; default none */
  attempts?: AttemptsInHand;
  /** how long activities may go on after a signal to stop; default 20 s */
  shutdownGraceTime?: WorkerOptions['shutdownGraceTime'];
}

/** The bundle that `npm run build` puts beside the compiled worker; from sources there is none. */
function bundleOrSources(): Pick<WorkerOptions, 'workflowBundle' | 'workflowsPath'> {
  const built = fileURLToPath(new URL('../workflow-bundle.js', import.meta.url));
  if (import.meta.url.endsWith('.js') && existsSync(built)) return { workflowBundle: { codePath: built } };
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  return { workflowsPath: fileURLToPath(new URL(`../workflows/index.${extension}`, import.meta.url)) };
}

/**
 * How long the script of one workflow task may take, by the clock: the SDK's 5 s pass while a machine stands still, and
 * what then ends the script can end the whole worker (docs/decisions/a-task-may-stand-still.md). Not among the SDK's typed options.
 */
const SCRIPT_LIMIT = { isolateExecutionTimeout: '10 minutes' };

/**
 * The two workers of a process. One runs workflows and what only touches Postgres; the other what calls Bitbucket or
 * runs git, so that a long download never keeps a state change waiting.
 */
export async function createWorkers(options: WorkersOptions): Promise<{ rows: Worker; bitbucket: Worker }> {
  const { connection, namespace, taskQueue } = options;
  const around = [
    createAttemptEnds(),
    createCastErrors(),
    ...(options.attempts === undefined ? [] : [options.attempts.interceptor]),
  ];
  const common = {
    connection,
    namespace,
    interceptors: { activity: around.map((inbound) => () => ({ inbound })) },
    // A worker that is gone is noticed after the heartbeat timeout of 10 s: beats must not be held back longer than this.
    maxHeartbeatThrottleInterval: '2 seconds',
    // A worker that froze (no crash: its connections stay) is still handed a task for each poll it left behind, and
    // each is lost for a heartbeat timeout. Two keep up with hundreds of short tasks a second.
    maxConcurrentActivityTaskPolls: 2,
    shutdownGraceTime: options.shutdownGraceTime ?? '20 seconds',
    shutdownForceTime: '60 seconds',
  } satisfies Partial<WorkerOptions>;
  const rows = await Worker.create({
    ...common,
    ...SCRIPT_LIMIT,
    ...(options.workflowBundle === undefined
      ? bundleOrSources()
      : { workflowBundle: options.workflowBundle }),
    taskQueue,
    // After a kill its workflows wait this long for it before another worker takes them.
    stickyQueueScheduleToStartTimeout: '3 seconds',
    maxCachedWorkflows: 300,
    activities: { ...options.rowActivities },
  });
  const bitbucket = await Worker.create({
    ...common,
    taskQueue: bitbucketQueue(taskQueue),
    // An import has 16 repositories in hand, each with two where it is large; what a person waits for finds a place.
    maxConcurrentActivityTaskExecutions: 40,
    activities: { ...options.bitbucketActivities },
  });
  return { rows, bitbucket };
}

/** Runs both until they are shut down. One that fails takes the other with it. */
export async function runWorkers({ rows, bitbucket }: { rows: Worker; bitbucket: Worker }): Promise<void> {
  const stopOthers = (error: unknown): never => {
    for (const worker of [rows, bitbucket]) if (worker.getState() === 'RUNNING') worker.shutdown();
    throw error;
  };
  const ends = await Promise.allSettled([rows.run().catch(stopOthers), bitbucket.run().catch(stopOthers)]);
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
}
