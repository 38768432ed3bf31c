import { type ChildProcess, fork } from 'node:child_process';
import { rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Command, type Ending, LaunchFailed, type News, type Order } from './command.ts';
import { readGreeting } from './greeting.ts';
import { killGroup, type LaunchedProcess, launchedProcess } from './launchedProcess.ts';

export interface ForkServer {
  launch(command: Command): Promise<LaunchedProcess>;
}

/** What is known of a process that was ordered. */
interface Launch {
  streams: Map<number, Socket>;
  /** null: it has not started yet */
  runningAs: number | null;
  started: Settled<number>;
  /** all three streams are here */
  connected: Settled<readonly [Socket, Socket, Socket]>;
  ending: Settled<Ending>;
}

const PROGRAM = fileURLToPath(new URL('./forkServer.mjs', import.meta.url));

/** The streams of a process that runs were connected before it was started: what is not here by then was refused. */
const STREAMS_MS = 10_000;

/** The address of a socket is cut off behind this, silently (`sun_path` of unix(7); macOS has the least). */
const LONGEST_ADDRESS_BYTES = 103;

const LOST = { code: null, message: 'The process that starts others has ended.' };

/** Starts one. `onLost`: it can start nothing any more. Throws what making its socket, or starting it, throws. */
export async function startForkServer(onLost: () => void): Promise<ForkServer> {
  const folder = await privateFolder();
  try {
    return await startIn(folder, onLost);
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
}

async function startIn(folder: string, onLost: () => void): Promise<ForkServer> {
  const address = join(folder, 'socket');
  const launches = new Map<number, Launch>();
  let last = 0;
  let isLost = false;
  const server = await listen(address, (socket) => {
    socket.on('error', () => {});
    readGreeting(socket, (id, descriptor) => arrived(id, descriptor, socket));
  });
  const child = startProgram(server, address);
  const ended = (): void => {
    lost();
    for (const launch of launches.values()) fail(launch, new LaunchFailed(LOST));
    launches.clear();
    server.close();
    rmSync(folder, { recursive: true, force: true });
  };
  child.once('error', ended);
  child.once('exit', ended);
  child.on('message', (news: News) => heard(news));
  keepsAlive(child, server, false);

  function lost(): void {
    isLost = true;
    onLost();
  }

  function arrived(id: number, descriptor: number, socket: Socket): void {
    const launch = launches.get(id);
    if (launch === undefined) return void socket.destroy();
    launch.streams.set(descriptor, socket);
    const [stdin, stdout, stderr] = [0, 1, 2].map((each) => launch.streams.get(each));
    if (stdin && stdout && stderr) launch.connected.resolve([stdin, stdout, stderr]);
  }

  function heard(news: News): void {
    const launch = launches.get(news.id);
    if (launch === undefined) return;
    if ('pid' in news) {
      launch.runningAs = news.pid;
      launch.started.resolve(news.pid);
      expectStreams(launch);
    } else if ('failed' in news) {
      if (news.isCutOff) lost();
      fail(launch, new LaunchFailed(news.failed));
      forget(news.id);
    } else {
      launch.runningAs = null;
      launch.ending.resolve({ code: news.code, signal: news.signal });
      // The end of a short one may be heard of before its streams have come.
      const over = (): void => forget(news.id);
      launch.connected.promise.then(over, over);
    }
  }

  function forget(id: number): void {
    launches.delete(id);
    if (launches.size > 0) return;
    keepsAlive(child, server, false);
    if (isLost && child.connected) child.disconnect();
  }

  return {
    async launch(command) {
      last += 1;
      const launch: Launch = {
        streams: new Map(),
        runningAs: null,
        started: settled(),
        connected: settled(),
        ending: settled(),
      };
      launches.set(last, launch);
      keepsAlive(child, server, true);
      child.send({ ...command, id: last } satisfies Order, (error) => {
        if (error !== null) fail(launch, error);
      });
      const [pid, streams] = await Promise.all([launch.started.promise, launch.connected.promise]);
      return launchedProcess(pid, streams, launch.ending.promise);
    },
  };
}

function startProgram(server: Server, address: string): ChildProcess {
  try {
    return fork(PROGRAM, [address], {
      // Not in the group that a terminal's Ctrl-C ends.
      detached: true,
      env: {},
      execArgv: ['--max-old-space-size=64', '--max-semi-space-size=1'],
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
  } catch (error) {
    server.close();
    throw error;
  }
}

/** A process without descriptors for them closes its connections as they come, and nobody would hear of it. */
function expectStreams(launch: Launch): void {
  const timer = setTimeout(() => {
    const message = 'The streams of a process that was started did not arrive.';
    fail(launch, new LaunchFailed({ code: 'EMFILE', message }));
  }, STREAMS_MS);
  const arrived = (): void => clearTimeout(timer);
  launch.connected.promise.then(arrived, arrived);
}

/** Whoever tries again must not meet it at work. */
function fail({ streams, runningAs, started, connected, ending }: Launch, error: Error): void {
  for (const each of [started, connected, ending]) each.reject(error);
  for (const stream of streams.values()) stream.destroy();
  if (runningAs !== null) killGroup(runningAs, 'SIGKILL');
}

/** A process with nothing in hand ends, though its fork server waits for orders. */
function keepsAlive(child: ChildProcess, server: Server, kept: boolean): void {
  const what = kept ? 'ref' : 'unref';
  child[what]();
  child.channel?.[what]();
  server[what]();
}

/** A folder that nobody else can enter, so whoever connects to a socket in it is the fork server. */
async function privateFolder(): Promise<string> {
  const name = 'bucket-brigade-launcher-';
  const folder = join(tmpdir(), name);
  const isTooLong = Buffer.byteLength(`${folder}XXXXXX/socket`) > LONGEST_ADDRESS_BYTES;
  return mkdtemp(isTooLong ? join('/tmp', name) : folder);
}

function listen(path: string, onConnection: (socket: Socket) => void): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer({ allowHalfOpen: true }, onConnection);
    // Later ones are of single connections, which the launch that waits for them finds missing.
    server.on('error', reject);
    server.listen({ path, backlog: 1_024 }, () => resolve(server));
  });
}

interface Settled<T> {
  promise: Promise<T>;
  resolve: (value: T) => void;
  reject: (error: Error) => void;
}

/** A promise to be settled from outside; a rejection is for those who wait for it, and not everybody waits for all. */
function settled<T>(): Settled<T> {
  let resolve: (value: T) => void = () => {};
  let reject: (error: Error) => void = () => {};
  const promise = new Promise<T>((...both) => ([resolve, reject] = both));
  promise.catch(() => {});
  return { promise, resolve, reject };
}
