import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { inject } from 'vitest';
import { createApi } from '../../api/app.ts';
import { boundedDatabase } from '../../api/boundedDatabase.ts';
import type { ApiDependencies } from '../../api/dependencies.ts';
import { createHttpServer } from '../../api/httpServer.ts';
import { createRequestObserver } from '../../api/observe.ts';
import { createOrchestrator } from '../../api/orchestrator.ts';
import { createWebhookIntake } from '../../api/webhooks/intake.ts';
import { createDatabase } from '../../db/client.ts';
import { createLogger } from '../../platform/log.ts';
import { createMetrics } from '../../platform/metrics.ts';
import { createSealer } from '../../platform/secrets/seal.ts';
import { Secret } from '../../platform/secrets/secret.ts';
import type { Send } from './contract.ts';
import { waitFor } from './waitFor.ts';

export const IDEMPOTENCY_SECRET = new Secret('local-api-idempotency-secret-0123456789');
export const WEBHOOK_KEY = new Secret(Buffer.alloc(32, 7).toString('base64url'));
export const PUBLIC_URL = 'http://127.0.0.1:4400';

export interface LocalApiOptions {
  databaseUrl: string;
  /** default: the run's dev server */
  temporalAddress?: string;
  taskQueue?: string;
  commandTimeoutMs?: number;
  /** how long a call of Postgres may take; default: as the api's own */
  databaseTimeoutMs?: number;
  more?: Partial<ApiDependencies>;
}

/** The api in this process, without a socket: for what needs other circumstances than a stack has. */
export function createLocalApi(options: LocalApiOptions): {
  send: Send;
  /** Until it answers `/readyz` with 200: before, nobody would send it anything. */
  untilReady: () => Promise<void>;
  /** Puts it behind its HTTP server, until it is closed; gives the address. */
  listen: () => Promise<string>;
  /** its HTTP server, once it listens */
  httpServer: () => Server | undefined;
  close: () => Promise<void>;
  log: string[];
} {
  const servers = inject('servers');
  const log: string[] = [];
  const database = createDatabase({
    url: options.databaseUrl,
    maxConnections: 4,
    applicationName: 'local-api',
    connectTimeoutSeconds: 1.4,
    statementTimeoutMs: Math.max(5_000, options.databaseTimeoutMs ?? 0),
  });
  const orchestrator = createOrchestrator({
    address: options.temporalAddress ?? servers.temporalAddress,
    namespace: servers.temporalNamespace,
    taskQueue: options.taskQueue ?? 'nobody-listens',
    commandTimeoutMs: options.commandTimeoutMs ?? 1_000,
  });
  const bounded = boundedDatabase(database, options.databaseTimeoutMs ?? 1_800);
  const metrics = createMetrics({ service: 'api' });
  const logger = createLogger({
    service: 'api',
    level: 'debug',
    destination: { write: (line) => void log.push(line) },
  });
  const dependencies: ApiDependencies = {
    database: bounded,
    orchestrator,
    // Nobody holds the private key: what is sealed here is never opened.
    sealer: createSealer({ keyId: 'nobodys', publicKey: Buffer.alloc(32, 9).toString('base64url') }),
    log: logger,
    metrics,
    observe: createRequestObserver(metrics, logger),
    intake: createWebhookIntake({ database: bounded, webhookKey: WEBHOOK_KEY }),
    idempotencySecret: IDEMPOTENCY_SECRET,
    publicUrl: PUBLIC_URL,
    bitbucket: { webUrl: 'https://bitbucket.example', oauthKey: 'consumer' },
    checkWaitMs: 0,
    eventPollMs: 50,
    ...options.more,
  };
  const api = createApi(dependencies);
  let server: Server | undefined;
  const send: Send = async (path, init) => api.request(path, init);
  return {
    send,
    log,
    httpServer: () => server,
    async untilReady() {
      await waitFor({
        what: 'the api is ready',
        read: async () => (await send('/readyz', {})).status,
        until: (status) => status === 200,
      });
    },
    async listen() {
      server = createHttpServer(api, dependencies).listen(0, '127.0.0.1');
      await once(server, 'listening');
      return `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
    },
    async close() {
      server?.closeAllConnections();
      server?.close();
      await orchestrator.close();
      await database.end();
    },
  };
}
