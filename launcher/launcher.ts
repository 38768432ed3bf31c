import { type ChildProcess, fork } from 'node:child_process';
import { rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** What is to be started. The process leads a group of its own. */
export interface Command {
  file: string;
  args: readonly string[];
  /** the working directory */
  cwd: string;
  /** the whole environment: nothing of this process's own is added */
  env: Readonly<Record<string, string>>;
}

/** A command on its way to the fork server. */
export interface Order extends Command {
  id: number;
}

export interface Ending {
  /** null: a signal ended it */
  code: number | null;
  signal: NodeJS.Signals | null;
}

export interface LaunchedProcess {
  pid: number;
  stdin: Socket;
  stdout: Socket;
  stderr: Socket;
  /**
   * Settles when it has ended and nobody of its group writes any more, which only shows to who reads. Rejects when that
   * cannot be known: the fork server ended before.
   */
  ended: Promise<Ending>;
  /** to its whole group; nothing happens when it has ended */
  kill: (signal: NodeJS.Signals) => void;
}

export interface Launcher {
  /** Throws when it cannot be started: no such program, no more processes. */
  launch(command: Command): Promise<LaunchedProcess>;
}

const FORK_SERVER = fileURLToPath(new URL('./forkServer.mjs', import.meta.url));

/**
 * Starts processes through a small one of its own. Node starts a process by `fork`, which copies the page tables of the
 * whole: from a process of 300 MB that holds up everything else for 10 to 30 ms each time (nodejs/node#14917; libuv#1715 says
 * why it stays so). The fork server has 40 MB. The streams of what it starts are sockets to here, so no byte goes through it.
 * It is started with the first command, again when it was lost, and ends with this process.
 */
function createLauncher(): Launcher {
  let current: Promise<ForkServer> | undefined;

  function forkServer(): Promise<ForkServer> {
    if (current !== undefined) return current;
    const starting = startForkServer(() => {
      if (current === starting) current = undefined;
    });
    // A failed start is tried again by the next command.
    starting.catch(() => (current = undefined));
    current = starting;
    return starting;
  }

  return { launch: async (command) => (await forkServer()).launch(command) };
}

/** That of this process: one fork server serves all. */
export const launcher: Launcher = createLauncher();

interface ForkServer {
  launch(command: Command): Promise<LaunchedProcess>;
}

/** What is known of a process that was ordered. */
interface Launch {
  streams: (Socket | undefined)[];
  pid: PromiseWithResolvers<number>;
  ending: PromiseWithResolvers<Ending>;
  /** all three streams are here */
  connected: PromiseWithResolvers<void>;
}

type News = { id: number } & ({ pid: number } | { failed: string } | Ending);

async function startForkServer(onLost: () => void): Promise<ForkServer> {
  // Nobody else can enter it, so whoever connects is the fork server.
  const folder = await mkdtemp(join(tmpdir(), 'bucket-brigade-launcher-'));
  const address = join(folder, 'socket');
  const launches = new Map<number, Launch>();
  let last = 0;
  const server = await listen(address, (socket) => {
    socket.on('error', () => {});
    readGreeting(socket, (id, descriptor) => {
      const launch = launches.get(id);
      if (launch === undefined) return void socket.destroy();
      launch.streams[descriptor] = socket;
      if ([0, 1, 2].every((each) => launch.streams[each] !== undefined)) launch.connected.resolve();
    });
  });
  const child = fork(FORK_SERVER, [address], {
    // Not in the group that a terminal's Ctrl-C ends.
    detached: true,
    env: {},
    execArgv: ['--max-old-space-size=64', '--max-semi-space-size=1'],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const stopped = (error: Error): void => {
    onLost();
    for (const launch of launches.values()) fail(launch, error);
    launches.clear();
    server.close();
    rmSync(folder, { recursive: true, force: true });
  };
  child.once('error', stopped);
  child.once('exit', () => stopped(new Error('The process that starts others has ended.')));
  child.on('message', (news: News) => heard(news));
  keepsAlive(child, server, false);

  function heard(news: News): void {
    const launch = launches.get(news.id);
    if (launch === undefined) return;
    if ('pid' in news) return launch.pid.resolve(news.pid);
    if ('failed' in news) fail(launch, new Error(news.failed));
    else launch.ending.resolve({ code: news.code, signal: news.signal });
    // The end of a short one may be heard of before its streams have come.
    const forget = (): void => {
      launches.delete(news.id);
      if (launches.size === 0) keepsAlive(child, server, false);
    };
    launch.connected.promise.then(forget, forget);
  }

  return {
    async launch({ file, args, cwd, env }) {
      last += 1;
      const launch: Launch = {
        streams: [],
        pid: withResolvers(),
        ending: withResolvers(),
        connected: withResolvers(),
      };
      // Each is told to who waits for it; not everybody waits for all.
      for (const { promise } of [launch.pid, launch.ending, launch.connected]) promise.catch(() => {});
      launches.set(last, launch);
      keepsAlive(child, server, true);
      child.send({ id: last, file, args, cwd, env } satisfies Order, (error) => {
        if (error !== null) fail(launch, error);
      });
      const [pid] = await Promise.all([launch.pid.promise, launch.connected.promise]);
      return launched(launch, pid);
    },
  };
}

function launched({ streams, ending }: Launch, pid: number): LaunchedProcess {
  const [stdin, stdout, stderr] = streams;
  if (!stdin || !stdout || !stderr) throw new TypeError('A process was started without its streams.');
  let isOver = false;
  const kill = (signal: NodeJS.Signals): void => {
    if (isOver) return;
    try {
      process.kill(-pid, signal);
    } catch {
      // ESRCH: the group has just ended
    }
  };
  const closed = Promise.all([stdout, stderr].map((stream) => closing(stream)));
  // Nothing comes from there but its end.
  stdin.resume();
  async function end(): Promise<Ending> {
    try {
      return await ending.promise;
    } catch (error) {
      // Whoever tries again must not meet it at work.
      kill('SIGKILL');
      throw error;
    } finally {
      isOver = true;
    }
  }
  const ended = end().then(async (how) => {
    await closed;
    return how;
  });
  ended.catch(() => {});
  return { pid, stdin, stdout, stderr, ended, kill };
}

/** Behind its last byte nothing is left to be said, so this side closes too. */
function closing(stream: Socket): Promise<void> {
  return new Promise((resolve) => {
    stream.once('close', () => resolve());
    if (stream.closed) resolve();
    // One that nothing was written to may have ended already.
    if (stream.readableEnded) stream.end();
    else stream.once('end', () => stream.end());
  });
}

function fail({ streams, pid, ending, connected }: Launch, error: Error): void {
  for (const each of [pid, ending, connected]) each.reject(error);
  for (const stream of streams) stream?.destroy();
}

/** A process with nothing in hand ends, though its fork server waits for commands. */
function keepsAlive(child: ChildProcess, server: Server, kept: boolean): void {
  const what = kept ? 'ref' : 'unref';
  child[what]();
  child.channel?.[what]();
  server[what]();
}

function listen(address: string, onConnection: (socket: Socket) => void): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer({ allowHalfOpen: true }, onConnection);
    server.once('error', reject);
    server.listen(address, () => resolve(server));
  });
}

/** Reads the line that says whose stream this is; what stands behind it is the stream's own. */
function readGreeting(socket: Socket, onGreeting: (id: number, descriptor: number) => void): void {
  let line = Buffer.alloc(0);
  const read = (): void => {
    const piece: Buffer | null = socket.read();
    if (piece === null) return;
    line = Buffer.concat([line, piece]);
    const end = line.indexOf('\n');
    if (end === -1) return;
    socket.off('readable', read);
    if (end + 1 < line.length) socket.unshift(line.subarray(end + 1));
    const [id, descriptor] = line.toString('latin1', 0, end).split(' ').map(Number);
    onGreeting(id ?? 0, descriptor ?? 0);
  };
  socket.on('readable', read);
}

interface PromiseWithResolvers<T> {
  promise: Promise<T>;
  resolve: (value: T) => void;
  reject: (error: Error) => void;
}

function withResolvers<T>(): PromiseWithResolvers<T> {
  let resolve: (value: T) => void = () => {};
  let reject: (error: Error) => void = () => {};
  const promise = new Promise<T>((...both) => ([resolve, reject] = both));
  return { promise, resolve, reject };
}
