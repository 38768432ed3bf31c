import { join } from 'node:path';
import { z } from 'zod';
import { migrate } from '../../db/migrate.ts';
import { API_ROLE, OWNER_ROLE, provision, WORKER_ROLE } from '../../db/provision.ts';
import { SEARCH_ATTRIBUTES } from '../../workflows/searchAttributes.ts';
import { generateKeys, KEY_FILES } from '../keys/keyFolder.ts';
import type { ChildServer } from '../servers/childProcess.ts';
import { startPostgres } from '../servers/embeddedPostgres.ts';
import { freePort } from '../servers/freePort.ts';
import { startReady } from '../servers/readyProcess.ts';
import { startTemporal } from '../servers/temporalDevServer.ts';
import { bundledWorkflows, bundledPrograms } from '../programs.ts';
import { findTemporalCli } from '../setup/temporalCli.mjs';
import { childEnvironment } from './childEnvironment.ts';
import { HEAP } from './heap.ts';
import type { Installation } from './installation.ts';
import type { StartOptions } from './options.ts';
import { type Ports, portsOfThisStart, whileChoosingPorts } from './ports.ts';
import type { StartService, Supervisor } from './supervisor.ts';

/** It makes its git repositories first; thousands of them take minutes. */
const SIMULATOR_READY_TIMEOUT_MS = 30 * 60_000;
/** Workflow code is bundled by path, so nothing imports it: it is named for the watcher. */
const WATCHING = [
  'node_modules/tsx/dist/cli.mjs',
  'watch',
  '--clear-screen=false',
  '--include',
  'workflows/**/*.ts',
];
const DATABASE = 'bucket_brigade';
const NAMESPACE = 'default';

export interface Addresses {
  readonly api: string;
  readonly temporalUi: string;
  readonly temporalAddress: string;
  readonly namespace: string;
  /** undefined with `--bitbucket` */
  readonly simulator: string | undefined;
  readonly ownerUrl: string;
  readonly workerUrl: string;
  /** for people who write SQL: the superuser of the local Postgres sees every row */
  readonly adminUrl: string;
}

interface Context {
  readonly root: string;
  readonly installation: Installation;
  readonly options: StartOptions;
  readonly supervisor: Supervisor;
  /** the environment that the person started with, and settings for Bitbucket in it */
  readonly environment: NodeJS.ProcessEnv;
  /** tells the person at the terminal */
  readonly say: (line: string) => void;
  /** start worker and api again when their code changes; for development */
  readonly watch?: boolean;
  /** how many workers; default 1 */
  readonly workers?: number;
  /** in place of the demo's settings of the simulator (simulator/README.md), by option name; `true` for a switch */
  readonly simulator?: Readonly<Record<string, string | true>>;
  /** more settings of Postgres, by name */
  readonly postgres?: Readonly<Record<string, string>>;
  /** Postgres and Temporal too are started again when they die, on the same ports and data */
  readonly restartServers?: boolean;
  /** for the Node processes of the engine, e.g. `--cpu-prof` */
  readonly nodeArguments?: readonly string[];
}

/**
 * Starts everything in the order in which one needs the other, and waits until each is ready. Starts on other data
 * folders wait for each other meanwhile.
 */
export async function startServices(context: Context): Promise<Addresses> {
  const onWait = (pid: number): void =>
    context.say(`Another start (process ${pid}) is choosing its ports; waiting until it is up …`);
  return whileChoosingPorts(onWait, async () => startAll(context, await portsOfThisStart()));
}

async function startAll(context: Context, ports: Ports): Promise<Addresses> {
  const { installation, supervisor } = context;
  await generateKeys(installation.keys);
  const [database, temporal, simulator, bundle] = await Promise.all([
    startDatabase(context, ports.postgres),
    findTemporalCli({}).then(({ path }) =>
      supervisor.run(
        'temporal',
        (log, signal) =>
          startTemporal({
            executable: path,
            port: ports.temporal,
            uiPort: ports.temporalUi,
            dbFile: installation.temporalDatabase,
            namespace: NAMESPACE,
            searchAttributes: SEARCH_ATTRIBUTES,
            log,
            signal,
          }),
        { restart: context.restartServers === true },
      ),
    ),
    context.options.bitbucket ? undefined : startSimulator(context, ports.simulator),
    // While watching, the worker bundles by itself at each start: its workflows change.
    context.watch === true ? undefined : bundledWorkflows(),
  ]);
  const apiPort = await freePort(ports.api);
  const api = `http://127.0.0.1:${apiPort}`;
  const shared = {
    TEMPORAL_ADDRESS: temporal.address,
    TEMPORAL_NAMESPACE: NAMESPACE,
    LOG_LEVEL: 'info',
  };
  const bitbucket =
    simulator === undefined ? undefined : await simulatorSettings(simulator, simulatorOptions(context));
  const startWorker = (number: number, port: number): Promise<void> =>
    startNode(context, {
      name: workerName(number),
      script: 'worker',
      port,
      portVariable: 'METRICS_PORT',
      env: {
        ...shared,
        ...bitbucket?.worker,
        DATABASE_URL: database.urlOf(WORKER_ROLE),
        SEALING_PRIVATE_KEYS_FILE: join(installation.keys, KEY_FILES.privateKeys),
        WEBHOOK_KEY_FILE: join(installation.keys, KEY_FILES.webhookKey),
        PUBLIC_URL: api,
        CLONE_FOLDER: number === 1 ? installation.clones : `${installation.clones}-${number}`,
        ...(bundle === undefined ? {} : { WORKFLOW_BUNDLE: bundle }),
      },
    });
  const workerPorts: number[] = [];
  while (workerPorts.length < (context.workers ?? 1))
    workerPorts.push(await freePort((workerPorts.at(-1) ?? ports.workerMetrics - 1) + 1));
  await Promise.all([
    ...workerPorts.map((port, index) => startWorker(index + 1, port)),
    startNode(context, {
      name: 'api',
      script: 'api/server',
      port: apiPort,
      portVariable: 'PORT',
      env: {
        ...shared,
        ...bitbucket?.api,
        DATABASE_URL: database.urlOf(API_ROLE),
        SEALING_PUBLIC_KEY_FILE: join(installation.keys, KEY_FILES.publicKey),
        IDEMPOTENCY_KEY_SECRET_FILE: join(installation.keys, KEY_FILES.idempotencySecret),
        WEBHOOK_KEY_FILE: join(installation.keys, KEY_FILES.webhookKey),
        PUBLIC_URL: api,
      },
    }),
  ]);
  return {
    api,
    temporalUi: temporal.uiUrl ?? '',
    temporalAddress: temporal.address,
    namespace: NAMESPACE,
    simulator,
    ownerUrl: database.urlOf(OWNER_ROLE),
    workerUrl: database.urlOf(WORKER_ROLE),
    adminUrl: database.adminUrl,
  };
}

/** The first one is just `worker`. */
export const workerName = (number: number): string => (number === 1 ? 'worker' : `worker-${number}`);

async function startDatabase(
  { installation, supervisor, postgres = {}, restartServers = false }: Context,
  port: number,
) {
  const where = { folder: installation.postgres, port, persistent: true };
  const server = await supervisor.run(
    'postgres',
    (log, signal) => startPostgres({ ...where, settings: postgres, log, signal }),
    { restart: restartServers },
  );
  await provision({ adminUrl: server.url, database: DATABASE, passwords: installation.passwords });
  const urlOf = (role: string): string => {
    const passwords = installation.passwords;
    const password = {
      [OWNER_ROLE]: passwords.owner,
      [API_ROLE]: passwords.api,
      [WORKER_ROLE]: passwords.worker,
    }[role];
    return `postgres://${role}:${password}@127.0.0.1:${server.port}/${DATABASE}`;
  };
  await migrate({ ownerUrl: urlOf(OWNER_ROLE) });
  return { urlOf, adminUrl: server.url.replace(/\/[^/]*$/, `/${DATABASE}`) };
}

async function startSimulator(context: Context, preferredPort: number): Promise<string> {
  const { root, supervisor, environment } = context;
  const port = await freePort(preferredPort);
  const url = `http://127.0.0.1:${port}`;
  const ready = `${url}/_simulator/credentials`;
  const program = await programArguments(context, 'simulator/main');
  await supervisor.run('simulator', (log, signal) => {
    const args = [...program, `--port=${port}`, ...simulatorArguments(context)];
    const child = { command: process.execPath, args, cwd: root, env: environment, log };
    return startReady('simulator', ready, child, signal, SIMULATOR_READY_TIMEOUT_MS);
  });
  return url;
}

type Settings = Readonly<Record<string, string | true>>;

function simulatorOptions({ installation, options, simulator }: Context): Settings {
  return (
    simulator ?? {
      era: 'guide',
      size: options.size,
      data: installation.simulator,
      // What the story changes at the host is there at the next start too, as it is in Postgres.
      'keep-changes': true,
      // The demo shows the line at full speed; the request allowance is the simulator's other subject.
      limit: '0',
    }
  );
}

function simulatorArguments(context: Context): string[] {
  return [
    ...Object.entries(simulatorOptions(context)).map(([name, value]) =>
      value === true ? `--${name}` : `--${name}=${value}`,
    ),
    ...context.options.repositories.map((path) => `--repository=${path}`),
  ];
}

/** The worker is told the limits that its simulator has, as an operator would know the real ones. */
function limitSettings({
  limit = '1000',
  'window-ms': windowMs = '3600000',
}: Settings): Record<string, string> {
  return {
    BITBUCKET_LIMITS:
      limit === '0'
        ? 'none'
        : `repository_data=${limit},webhook_data=${limit},git_operations=${60 * Number(limit)}`,
    BITBUCKET_LIMIT_WINDOW_MS: String(windowMs),
  };
}

const credentialList = z.object({ oauth_consumer: z.object({ key: z.string(), secret: z.string() }) });

/** Where the simulated host is, and its OAuth consumer: what an operator would set for the real one. */
async function simulatorSettings(
  simulator: string,
  options: Settings,
): Promise<{ api: Record<string, string>; worker: Record<string, string> }> {
  const answer = await fetch(`${simulator}/_simulator/credentials`);
  const { oauth_consumer: consumer } = credentialList.parse(await answer.json());
  const shared = {
    BITBUCKET_API_URL: `${simulator}/2.0`,
    BITBUCKET_WEB_URL: simulator,
    BITBUCKET_OAUTH_KEY: consumer.key,
  };
  return {
    api: shared,
    worker: {
      ...shared,
      BITBUCKET_OAUTH_SECRET: consumer.secret,
      BITBUCKET_PASSWORD_LOGIN: 'true',
      ...limitSettings(options),
    },
  };
}

/** How Node runs a program of ours: compiled, or from its source while that may change. */
const programArguments = async ({ watch = false }: Context, program: string): Promise<string[]> =>
  watch ? ['--import', 'tsx', `${program}.ts`] : [join(await bundledPrograms(), `${program}.js`)];

interface NodeService {
  readonly name: string;
  /** its source without `.ts` */
  readonly script: string;
  readonly port: number;
  readonly portVariable: string;
  readonly env: Record<string, string>;
}

/** The worker and the api: both answer `/readyz`, and both are started again when they die. */
async function startNode(context: Context, service: NodeService): Promise<void> {
  const { supervisor, root, environment, watch = false, nodeArguments = [] } = context;
  const set = { ...service.env, HOST: '127.0.0.1', [service.portVariable]: String(service.port) };
  const program = watch
    ? [...WATCHING, `${service.script}.ts`]
    : await programArguments(context, service.script);
  const start: StartService<ChildServer> = (log, signal) => {
    const args = [...HEAP, ...nodeArguments, ...program];
    const child = {
      command: process.execPath,
      args,
      cwd: root,
      env: childEnvironment(environment, set),
      log,
    };
    return startReady(service.name, `http://127.0.0.1:${service.port}/readyz`, child, signal);
  };
  await supervisor.run(service.name, start, { restart: true });
}
