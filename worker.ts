/** The worker process: runs workflows and activities. Any number of them, on any number of machines. */
import { NativeConnection } from '@temporalio/worker';
import { Client } from '@temporalio/client';
import { createCloneFolder } from './activities/git/cloneFolder.ts';
import { CLONE_BYTES, createActivities } from './activities/index.ts';
import { createDatabase } from './db/client.ts';
import { ConfigError, loadWorkerConfig, type WorkerConfig } from './platform/config.ts';
import { createLogger, type Logger } from './platform/log.ts';
import { createMetrics } from './platform/metrics.ts';
import { publicKeyOf } from './platform/secrets/publicKeyOf.ts';
import { createSealer } from './platform/secrets/seal.ts';
import { createAttemptsInHand } from './worker/attemptsInHand.ts';
import { createWorkers, runWorkers } from './worker/createWorkers.ts';
import { startUpkeep } from './worker/integrationUpkeep.ts';
import { startRelay } from './worker/relay/relay.ts';
import { createWaker } from './worker/relay/waker.ts';
import { installRuntime } from './worker/runtime.ts';
import { type StatusServer, startStatusServer } from './worker/statusServer.ts';
import { startSweep } from './worker/sweep.ts';
import { startSweepingClones } from './worker/sweepClones.ts';
import { startWaking } from './worker/wakeWaiting.ts';

/** Runs until SIGTERM or SIGINT; then ends in order: probes, workers, connection to Temporal, pools. */
async function run(config: WorkerConfig, log: Logger): Promise<void> {
  const { temporal, taskQueue, databaseUrl: url } = config;
  installRuntime(log);
  const connection = await NativeConnection.connect({ address: temporal.address });
  const database = createDatabase({ url, maxConnections: 20, applicationName: 'bucket-brigade-worker' });
  const refreshDatabase = createDatabase({
    url,
    maxConnections: 4,
    applicationName: 'bucket-brigade-refresh',
    // A transaction of this pool waits for Bitbucket's token endpoint, 30 s at most.
    idleTransactionMs: 35_000,
  });
  const client = new Client({ connection, namespace: temporal.namespace });
  const stopSweep = startSweep({ database, client, taskQueue, log });
  const clones = createCloneFolder({ folder: config.cloneFolder, maxBytes: CLONE_BYTES });
  const stopSweepingClones = startSweepingClones({ database, clones, log });
  const stopWaking = startWaking({ database, client, log });
  const stopUpkeep = startUpkeep({
    database,
    client,
    taskQueue,
    intervalMs: config.pollIntervalMs,
    log,
  });
  const metrics = config.metrics.port === 0 ? undefined : createMetrics({ service: 'worker', process: true });
  const stopRelay = startRelay({ database, waker: createWaker({ client, taskQueue }), log, metrics });
  let ready = false;
  let status: StatusServer | null = null;
  try {
    if (metrics !== undefined) {
      status = await startStatusServer({ ...config.metrics, metrics, isReady: () => ready });
    }
    const attempts = createAttemptsInHand({ folder: config.cloneFolder, client, log });
    const givingBack = attempts.giveBackLost();
    const workers = await createWorkers({
      attempts,
      connection,
      namespace: temporal.namespace,
      taskQueue,
      ...(config.workflowBundle === undefined ? {} : { workflowBundle: { codePath: config.workflowBundle } }),
      ...createActivities({
        ...config,
        metrics,
        database,
        refreshDatabase,
        client,
        sealer: sealerOf(config),
      }),
    });
    const running = runWorkers(workers);
    ready = true;
    log.info({ task_queue: taskQueue, pid: process.pid }, 'The worker is ready');
    await Promise.all([running, givingBack]);
  } finally {
    ready = false;
    await status?.close();
    await Promise.all([stopSweep(), stopSweepingClones(), stopWaking(), stopUpkeep(), stopRelay()]);
    try {
      await connection.close();
    } finally {
      // Refused while a worker that never ran holds it: that must not keep the pools, and so the process, alive.
      await Promise.all([database.end(), refreshDatabase.end()]);
    }
  }
}

/** Renewed tokens are sealed with the newest key of the ring. */
function sealerOf({ sealingKeys }: WorkerConfig) {
  const newest = sealingKeys.at(-1);
  if (newest === undefined) throw new Error('There is no sealing key.');
  return createSealer(publicKeyOf(newest));
}

try {
  const config = loadWorkerConfig();
  const log = createLogger({ service: 'worker', level: config.logLevel });
  await run(config, log).catch((error: unknown) => {
    log.fatal({ error }, 'The worker ended with an error');
    process.exitCode = 1;
  });
} catch (error) {
  if (!(error instanceof ConfigError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
