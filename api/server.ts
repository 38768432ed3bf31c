import { serve } from '@hono/node-server';
import { Server } from 'node:http';
import { createDatabase } from '../db/client.ts';
import { type ApiConfig, ConfigError, loadApiConfig } from '../platform/config.ts';
import { createLogger } from '../platform/log.ts';
import { createMetrics } from '../platform/metrics.ts';
import { createSealer } from '../platform/secrets/seal.ts';
import { createApi } from './app.ts';
import { boundedDatabase } from './boundedDatabase.ts';
import { createOrchestrator } from './orchestrator.ts';

// Longer than load balancers keep an idle connection (60 s), so that they never send into one that we just closed.
const KEEP_ALIVE_MS = 75_000;
// Headers and body must arrive in time, or somebody holds connections open for nothing.
const HEADERS_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 15_000;
// How often Node looks for those that are late; its default would let them stay twice as long.
const LATE_CHECK_MS = 2_000;
/** How long requests under way may take to end on shutdown: longer than a connection check is waited for. */
const DRAIN_MS = 15_000;

async function main(config: ApiConfig): Promise<void> {
  const log = createLogger({ service: 'api', level: config.logLevel });
  const database = createDatabase({
    url: config.databaseUrl,
    maxConnections: 10,
    applicationName: 'bucket-brigade-api',
    connectTimeoutSeconds: 1,
    statementTimeoutMs: 5_000,
  });
  const orchestrator = createOrchestrator({ ...config.temporal, taskQueue: config.taskQueue });
  const stopping = new AbortController();
  const api = createApi({
    database: boundedDatabase(database, 1_800),
    orchestrator,
    sealer: createSealer(config.sealingKey),
    log,
    metrics: createMetrics({ service: 'api', process: true }),
    idempotencySecret: config.idempotencySecret,
    webhookKey: config.webhookKey,
    publicUrl: config.publicUrl,
    bitbucket: config.bitbucket,
    stopping: stopping.signal,
  });
  const server = serve(
    {
      fetch: api.fetch,
      hostname: config.host,
      port: config.port,
      serverOptions: {
        keepAliveTimeout: KEEP_ALIVE_MS,
        headersTimeout: HEADERS_TIMEOUT_MS,
        requestTimeout: REQUEST_TIMEOUT_MS,
        connectionsCheckingInterval: LATE_CHECK_MS,
      },
    },
    ({ port }) => log.info({ host: config.host, port }, 'Listening'),
  );
  if (!(server instanceof Server)) throw new TypeError('The api is served by plain HTTP/1.1.');

  /** No new connections, then the requests under way, then what they stand on. */
  const stop = async (signal: string): Promise<void> => {
    log.info({ signal }, 'Stopping');
    stopping.abort();
    const closed = new Promise((resolve) => void server.close(resolve));
    server.closeIdleConnections();
    const timer = setTimeout(() => server.closeAllConnections(), DRAIN_MS);
    await closed;
    clearTimeout(timer);
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
