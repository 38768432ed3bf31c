import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { inject } from 'vitest';
import { createDatabase, type Database } from '../../db/client.ts';
import type { Role } from '../../db/schema/tenancy.ts';
import { createOperator } from '../../scripts/apiKeys/operator.ts';
import { generateKeys, KEY_FILES } from '../../scripts/keys/keyFolder.ts';
import type { Differences } from '../../scripts/oracle/compare.ts';
import { verifyOrganization } from '../../scripts/oracle/verifyOrganization.ts';
import { type ChildServer, describeExit } from '../../scripts/servers/childProcess.ts';
import { freePort } from '../../scripts/servers/freePort.ts';
import { startReady } from '../../scripts/servers/readyProcess.ts';
import { HEAP } from '../../scripts/start/heap.ts';
import type { SimulatorOptions } from '../../simulator/options.ts';
import { createSimulator, type Simulator } from './simulator.ts';
import { createTestDatabase, type TestDatabase } from './database.ts';
import { expectReplays } from './stackRuns.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const ORDINARY_LOG_LINES = 400;

export interface StackOptions {
  simulator?: Partial<SimulatorOptions>;
  /** real processes of `worker.ts`; default 1, each with a clone folder of its own */
  workers?: number;
  /** default: the run's own dev server, in a namespace shared by all tests, on a task queue of this stack's own */
  temporalAddress?: string;
  /** default: a fresh database of the run's Postgres */
  database?: Pick<TestDatabase, 'superuserUrl' | 'apiUrl' | 'workerUrl' | 'ownerUrl'>;
  /** more settings for api and worker */
  environment?: Record<string, string>;
  /** default: the address of the simulator; a proxy between them otherwise */
  bitbucketUrl?: (simulator: Simulator) => string;
}

export interface WorkerOptions {
  /** the number of its clone folder; default its own. A dead worker's number gives it that one's folder */
  clones?: number;
  /** more settings for this one */
  environment?: Record<string, string>;
}

/** An answer of the api: its status, headers and JSON. */
export interface Answer {
  status: number;
  headers: Headers;
  // oxlint-disable-next-line typescript/no-explicit-any -- tests read bodies freely and assert what they find
  body: any;
  /** of a failure of the api's own: what its log says of the request */
  log?: string;
}

/** Api, workers and simulator as real processes (the simulator in this one), for one organization with an admin key. */
export interface Stack {
  simulator: Simulator;
  apiUrl: string;
  organizationId: string;
  apiKey: string;
  database: TestDatabase | NonNullable<StackOptions['database']>;
  /** the worker's view of the database, for the oracle and for looking */
  rows: Database;
  workers: ChildServer[];
  taskQueue: string;
  /** host:port */
  temporalAddress: string;
  /** where its keys and clones lie */
  folder: string;
  /** everything api and workers printed so far */
  logs(): string;
  call(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>;
  /** api and workers that ended although `restartApi` did not ask them to */
  exits(): string[];
  startWorker(options?: WorkerOptions): Promise<ChildServer>;
  /** what the first worker's metrics endpoint serves */
  workerMetrics(): Promise<string>;
  restartApi(how: 'stop' | 'kill'): Promise<void>;
  /** another tenant of the same installation */
  addOrganization(role?: Role): Promise<{ organizationId: string; apiKey: string }>;
  verify(): Promise<Differences & { repositories: number }>;
  /** Stops everything, then replays every run that its workers had; fails when one takes another way. */
  close(): Promise<void>;
}

/** An organization with a key, made by what the operator's command uses. */
async function makeOrganization(ownerUrl: string, role: Role, returnUrl: string) {
  const operator = createOperator(ownerUrl);
  try {
    const organization = `org ${randomBytes(6).toString('hex')}`;
    const { key, organizationId } = await operator.createKey({ organization, role });
    await operator.addReturnUrl(organization, returnUrl);
    return { organizationId, apiKey: key };
  } finally {
    await operator.end();
  }
}

/** The worker is told the limits that its simulator has: none unless a test asks for some. */
function limitsOf({ limit = 0 }: Partial<SimulatorOptions> = {}): string {
  return limit === 0 ? 'none' : `repository_data=${limit},webhook_data=${limit},git_operations=${limit * 60}`;
}

export const RETURN_URL = 'http://127.0.0.1:9/connected';

/** Starts a stack. Close it in `afterAll`/`finally`, whatever happened. */
export async function createStack(options: StackOptions = {}): Promise<Stack> {
  const servers = inject('servers');
  const folder = await mkdtemp(join(tmpdir(), 'stack-'));
  const own = options.database === undefined ? await createTestDatabase() : undefined;
  const database = options.database ?? own;
  if (database === undefined) throw new Error('no database');
  const simulator = await createSimulator({ limit: 0, ...options.simulator });
  const bitbucket = options.bitbucketUrl?.(simulator) ?? simulator.url;
  const keys = join(folder, 'keys');
  await generateKeys(keys);
  const { organizationId, apiKey } = await makeOrganization(database.ownerUrl, 'admin', RETURN_URL);
  const temporalAddress = options.temporalAddress ?? servers.temporalAddress;
  const taskQueue = `test-${randomBytes(6).toString('hex')}`;
  const apiPort = await freePort();
  const apiUrl = `http://127.0.0.1:${apiPort}`;
  const lines: string[] = [];
  const exits: string[] = [];
  let expected: ChildServer | undefined;

  const shared = {
    PATH: process.env['PATH'] ?? '',
    HOST: '127.0.0.1',
    LOG_LEVEL: 'debug',
    TEMPORAL_ADDRESS: temporalAddress,
    TEMPORAL_NAMESPACE: servers.temporalNamespace,
    TASK_QUEUE: taskQueue,
    BITBUCKET_API_URL: `${bitbucket}/2.0`,
    BITBUCKET_WEB_URL: bitbucket,
    BITBUCKET_OAUTH_KEY: simulator.consumer.key,
    BITBUCKET_OAUTH_SECRET: simulator.consumer.secret,
    BITBUCKET_PASSWORD_LOGIN: 'true',
    // A round in the middle of a test would be counted as the test's own requests.
    POLL_INTERVAL_MS: '0',
    BITBUCKET_LIMITS: limitsOf(options.simulator),
    BITBUCKET_LIMIT_WINDOW_MS: String(options.simulator?.windowMs ?? 3_600_000),
    ...options.environment,
  };
  const startNode = async (name: string, script: string, port: number, env: Record<string, string>) => {
    const child = await startReady(name, `http://127.0.0.1:${port}/readyz`, {
      command: process.execPath,
      args: [...HEAP, join(servers.programs, script)],
      cwd: ROOT,
      env: { ...shared, ...env },
      log: (line) => void lines.push(`${name}: ${line}`),
    });
    void child.exited.then((exit) => {
      if (child !== expected) exits.push(`${name} ${describeExit(exit)}`);
    });
    return child;
  };
  const startApi = () =>
    startNode('api', 'api/server.js', apiPort, {
      DATABASE_URL: database.apiUrl,
      PORT: String(apiPort),
      PUBLIC_URL: apiUrl,
      SEALING_PUBLIC_KEY_FILE: join(keys, KEY_FILES.publicKey),
      IDEMPOTENCY_KEY_SECRET_FILE: join(keys, KEY_FILES.idempotencySecret),
      WEBHOOK_KEY_FILE: join(keys, KEY_FILES.webhookKey),
    });
  const workers: ChildServer[] = [];
  const metricsPorts: number[] = [];
  const startWorker = async ({ clones, environment }: WorkerOptions = {}): Promise<ChildServer> => {
    const port = await freePort();
    metricsPorts.push(port);
    const number = workers.length + 1;
    const worker = await startNode(`worker-${number}`, 'worker.js', port, {
      DATABASE_URL: database.workerUrl,
      METRICS_PORT: String(port),
      PUBLIC_URL: apiUrl,
      SEALING_PRIVATE_KEYS_FILE: join(keys, KEY_FILES.privateKeys),
      WEBHOOK_KEY_FILE: join(keys, KEY_FILES.webhookKey),
      WORKFLOW_BUNDLE: servers.workflowBundle,
      CLONE_FOLDER: join(folder, `clones-${clones ?? number}`),
      ...environment,
    });
    workers.push(worker);
    return worker;
  };

  async function send(
    method: string,
    path: string,
    body: unknown,
    headers: Record<string, string>,
  ): Promise<Answer> {
    const answer = await fetch(path.startsWith('http') ? path : `${apiUrl}${path}`, {
      method,
      redirect: 'manual',
      headers: {
        authorization: `Bearer ${apiKey}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    const json = answer.headers.get('content-type')?.includes('json') === true;
    const given: Answer = {
      status: answer.status,
      headers: answer.headers,
      body: json ? JSON.parse(text) : text,
    };
    const requestId = answer.status < 500 ? null : answer.headers.get('x-request-id');
    if (requestId === null) return given;
    return { ...given, log: lines.filter((line) => line.includes(requestId)).join('\n') };
  }

  let api = await startApi();
  for (let i = 0; i < (options.workers ?? 1); i += 1) await startWorker();
  const rows = createDatabase({ url: database.workerUrl, maxConnections: 2, applicationName: 'oracle' });

  return {
    simulator,
    apiUrl,
    organizationId,
    apiKey,
    database,
    rows,
    workers,
    taskQueue,
    temporalAddress,
    folder,
    logs: () => lines.join('\n'),
    call: (method, path, body, headers = {}) => send(method, path, body, headers),
    exits: () => [...exits],
    startWorker,
    workerMetrics: async () => (await fetch(`http://127.0.0.1:${String(metricsPorts[0])}/metrics`)).text(),
    async restartApi(how) {
      expected = api;
      await (how === 'kill' ? api.kill() : api.stop());
      api = await startApi();
    },
    addOrganization: (role = 'admin') => makeOrganization(database.ownerUrl, role, RETURN_URL),
    verify: () => verifyOrganization({ database: rows, organizationId, simulatorUrl: simulator.url }),
    async close() {
      await Promise.allSettled([api.stop(), ...workers.map((worker) => worker.stop())]);
      await Promise.allSettled([simulator.close(), rows.end()]);
      await own?.drop();
      await rm(folder, { recursive: true, force: true });
      if (process.env['STACK_LOGS'] !== undefined) {
        process.stderr.write(`${lines.slice(-ORDINARY_LOG_LINES).join('\n')}\n`);
      }
      await expectReplays({ temporalAddress, taskQueue });
    },
  };
}
