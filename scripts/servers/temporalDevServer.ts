import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Connection } from '@temporalio/client';
import { type ChildServer, type Exit, startChild } from './childProcess.ts';
import { freePort } from './freePort.ts';
import { ServerNotReady, untilReady } from './untilReady.ts';

const READY_TIMEOUT_MS = 60_000;
const START_ATTEMPTS = 5;

/** Server settings of the dev server; production sets its own (docker/temporal). Values are JSON. */
const DYNAMIC_CONFIG = {
  // The CLI would have each use of a search attribute read them anew, 9 % of the server's processor time, for those that
  // are added while it runs. Ours lie in the namespace before it starts.
  'system.forceSearchAttributesCacheRefreshOnRead': 'false',
  // What `workflows/priority.ts` stands on.
  'matching.useNewMatcher': 'true',
  'matching.enableFairness': 'true',
  // A task handed out while its worker stops would else be lost until its timeout: 10 s for a task of a workflow.
  'frontend.enableCancelWorkerPollsOnShutdown': 'true',
  // The whole server has few shards here: with the default of 20 a second for each, every step of a workflow waits 50 ms.
  'history.transferProcessorMaxPollRPS': '1000',
  'history.timerProcessorMaxPollRPS': '1000',
  'history.visibilityProcessorMaxPollRPS': '1000',
};

export interface TemporalOptions {
  /** The Temporal CLI, as `findTemporalCli` (scripts/setup) finds it. */
  readonly executable: string;
  /** The gRPC port to prefer; the next free one is taken. Any free one when left out. */
  readonly port?: number;
  /** The port of the web UI to prefer. Without it there is no UI. */
  readonly uiPort?: number;
  /** A SQLite file that keeps workflows over a restart. Without it they live in memory. */
  readonly dbFile?: string;
  readonly namespace: string;
  /** Registered before the server counts as ready: `SEARCH_ATTRIBUTES` of workflows/searchAttributes.ts. */
  readonly searchAttributes: readonly { readonly name: string; readonly type: string }[];
  /** Called with each line that the server prints. */
  readonly log: (line: string) => void;
  /** Gives a start up that is not ready yet. */
  readonly signal?: AbortSignal;
}

/** An address that its inner services were to listen on was taken: another try finds others. */
class PortLost extends Error {
  override readonly name = 'PortLost';
}

/** A running Temporal dev server on 127.0.0.1. */
export interface RunningTemporal {
  /** host:port of gRPC. */
  readonly address: string;
  readonly uiUrl: string | undefined;
  readonly pid: number;
  /** Resolves when the server has ended, for whatever reason. */
  readonly exited: Promise<Exit>;
  lastLines(): readonly string[];
  stop(): Promise<void>;
  /** Ends it as a crash would. */
  kill(): Promise<void>;
}

function startArguments(options: TemporalOptions, port: number, uiPort: number | undefined): string[] {
  const args = [
    'server',
    'start-dev',
    '--ip=127.0.0.1',
    `--port=${port}`,
    `--namespace=${options.namespace}`,
  ];
  args.push('--log-level=warn', '--log-format=json', '--color=never');
  // Whoever runs this may have a CLI profile of their own, which must not change a server of ours.
  args.push('--disable-config-file', '--disable-config-env');
  if (uiPort === undefined) args.push('--headless');
  else args.push(`--ui-port=${uiPort}`, '--ui-disable-news-fetch');
  if (options.dbFile !== undefined) args.push(`--db-filename=${options.dbFile}`);
  for (const { name, type } of options.searchAttributes) args.push('--search-attribute', `${name}=${type}`);
  for (const [key, value] of Object.entries(DYNAMIC_CONFIG)) {
    args.push('--dynamic-config-value', `${key}=${value}`);
  }
  return args;
}

/** Passes when the namespace is there and knows every search attribute. */
async function probeServer(address: string, options: TemporalOptions): Promise<void> {
  const { namespace, searchAttributes } = options;
  const connection = await Connection.connect({ address, connectTimeout: 5_000 });
  try {
    await connection.workflowService.describeNamespace({ namespace });
    const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace });
    const missing = searchAttributes.filter(({ name }) => customAttributes?.[name] === undefined);
    if (missing.length > 0) throw new Error(`search attribute ${missing[0]?.name} is not registered yet`);
  } finally {
    await connection.close();
  }
}

async function probeUi(url: string): Promise<void> {
  const answer = await fetch(url, { signal: AbortSignal.timeout(5_000) });
  await answer.body?.cancel();
  if (!answer.ok) throw new Error(`the UI answers ${answer.status}`);
}

async function startOnce(
  options: TemporalOptions,
  attempt: number,
): Promise<[ChildServer, string, string | undefined]> {
  // After a lost race for a port, look further on.
  const preferred = options.port === undefined ? undefined : options.port + attempt;
  const port = await freePort(preferred);
  const uiPort = options.uiPort === undefined ? undefined : await freePort(options.uiPort + attempt);
  const address = `127.0.0.1:${port}`;
  const uiUrl = uiPort === undefined ? undefined : `http://127.0.0.1:${uiPort}`;
  // Noted as it comes: the panic that follows is longer than what is kept of a child's last lines.
  let portLost = false;
  const child = await startChild({
    command: options.executable,
    args: startArguments(options, port, uiPort),
    log: (line) => {
      portLost ||= saysPortLost(line);
      options.log(line);
    },
  });
  try {
    await untilReady(
      'The Temporal dev server',
      child,
      async () => {
        await probeServer(address, options);
        if (uiUrl !== undefined) await probeUi(uiUrl);
      },
      READY_TIMEOUT_MS,
      options.signal,
    );
  } catch (error) {
    await child.stop();
    if (portLost && error instanceof ServerNotReady) throw new PortLost(error.message, { cause: error });
    throw error;
  }
  return [child, address, uiUrl];
}

const saysPortLost = (line: string): boolean => /address already in use|can't (bind|set)/i.test(line);

/**
 * Starts a Temporal dev server and waits until its namespace, search attributes and UI answer.
 * Throws an Error with the server's own last lines when it does not start.
 */
export async function startTemporal(options: TemporalOptions): Promise<RunningTemporal> {
  if (options.dbFile !== undefined) await mkdir(dirname(options.dbFile), { recursive: true });
  for (let attempt = 0; ; attempt += 1) {
    try {
      const [child, address, uiUrl] = await startOnce(options, attempt);
      return {
        address,
        uiUrl,
        pid: child.pid,
        exited: child.exited,
        lastLines: () => child.lastLines(),
        stop: async () => void (await child.stop()),
        kill: async () => void (await child.kill()),
      };
    } catch (error) {
      // It picks the ports of its inner services itself, and may lose one before it listens there.
      if (!(error instanceof PortLost) || attempt + 1 >= START_ATTEMPTS) throw error;
    }
  }
}
