import { setMaxListeners } from 'node:events';
import { createDatabase } from '../db/client.ts';
import { type ApiConfig, ConfigError, loadApiConfig } from '../platform/config.ts';
import { createLogger } from '../platform/log.ts';
import { createMetrics } from '../platform/metrics.ts';
import { createSealer } from '../platform/secrets/seal.ts';
import { createApi } from './app.ts';
import { boundedDatabase } from './boundedDatabase.ts';
import type { ApiDependencies } from './dependencies.ts';
import { closeHttpServer, createHttpServer } from './httpServer.ts';
import { createRequestObserver } from './observe.ts';
import { createOrchestrator } from './orchestrator.ts';
import { createWebhookIntake } from './webhooks/intake.ts';

/**
 * Connections that wait to be accepted. Behind Node's 511 the system drops the first packet of one more; the sender's system
 * repeats it after one, two and four seconds, which its time for a delivery may not last. Linux caps this at `somaxconn`.
 */
const BACKLOG = 4_096;

/** How long requests under way may take to end on shutdown: longer than a connection check is waited for. */
const DRAIN_MS = 15_000;

async function main(config: ApiConfig): Promise<void> {
  const log = createLogger({ service: 'api', level: config.logLevel });
  const database = createDatabase({
    url: config.databaseUrl,
    maxConnections: 10,
    applicationName: 'bucket-brigade-api',
    // With what else a request does, within the two seconds in which it is answered when Postgres is not there.
    connectTimeoutSeconds: 1.4,
    statementTimeoutMs: 5_000,
    plansOnce: true,
  });
  const orchestrator = createOrchestrator({ ...config.temporal, taskQueue: config.taskQueue });
  const stopping = new AbortController();
  // Each event stream listens: many are no leak.
  setMaxListeners(0, stopping.signal);
  const bounded = boundedDatabase(database, 1_800);
  const metrics = createMetrics({ service: 'api', process: true });
  const observe = createRequestObserver(metrics, log);
  const intake = createWebhookIntake({ database: bounded, webhookKey: config.webhookKey });
  const dependencies: ApiDependencies = {
    database: bounded,
    orchestrator,
    sealer: createSealer(config.sealingKey),
    log,
    metrics,
    observe,
    intake,
    idempotencySecret: config.idempotencySecret,
    publicUrl: config.publicUrl,
    bitbucket: config.bitbucket,
    stopping: stopping.signal,
  };
  const server = createHttpServer(createApi(dependencies), dependencies);
  server.listen({ port: config.port, host: config.host, backlog: BACKLOG }, () =>
    log.info({ host: config.host, port: config.port }, 'Listening'),
  );

  /** No new connections, then the requests under way, then what they stand on. */
  const stop = async (signal: string): Promise<void> => {
    log.info({ signal }, 'Stopping');
    stopping.abort();
    await closeHttpServer(server, DRAIN_MS);
    await orchestrator.close();
    await database.end();
    log.info('Stopped');
  };

  let stopped: Promise<void> | undefined;
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      stopped ??= stop(signal).catch((error: unknown) => {
        log.error({ error }, 'The shutdown failed');
        process.exitCode = 1;
      });
    });
  }
}

try {
  await main(loadApiConfig());
} catch (error) {
  if (!(error instanceof ConfigError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
