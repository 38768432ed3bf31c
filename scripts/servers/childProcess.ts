import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

/** How a child ended. */
export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A running child. */
export interface ChildServer {
  readonly pid: number;
  /** Resolves when the child has ended, for whatever reason. */
  readonly exited: Promise<Exit>;
  /** The last lines it printed, oldest first: what to show when it died. */
  lastLines(): readonly string[];
  /** Asks it to end, waits `graceMs` (10 s), then kills it. Safe to call twice, and after it has ended. */
  stop(graceMs?: number): Promise<Exit>;
  /** Ends it at once, as a crash would, and waits until it is gone. */
  kill(): Promise<Exit>;
}

export interface ChildOptions {
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  /** What asks it to end; SIGTERM unless told. */
  readonly stopSignal?: 'SIGTERM' | 'SIGINT';
  readonly uid?: number;
  readonly gid?: number;
  /** Called with each line of its standard output and error. */
  readonly log: (line: string) => void;
}

const KEPT_LINES = 40;
const GRACE_MS = 10_000;

/**
 * A watcher that outlives a killed parent: it reads a pipe that only the parent holds, and when that ends, because the
 * parent closed it or died, it sends the stop signal. It is forked twice, so that the server has no child it does
 * not know (Postgres would take one that dies for a crashed backend). `exec` keeps the process id. A server that is
 * stopped (SIGSTOP) takes the signal only when it goes on.
 */
const TETHER =
  'exec 3<&0; ( ( cat <&3 >/dev/null; kill -"$0" $$; kill -CONT $$ ) >/dev/null 2>&1 & ); exec "$@" </dev/null 3<&-';

/**
 * Starts a server process that never outlives this one, not even when this one is killed with SIGKILL, and that is
 * out of reach of the terminal's Ctrl-C, so that the caller decides the order in which children end.
 * Throws when the program cannot be started. For Linux and macOS: it needs a POSIX shell.
 */
export async function startChild(options: ChildOptions): Promise<ChildServer> {
  const { command, args, env, cwd, uid, gid, log } = options;
  const stopSignal = options.stopSignal ?? 'SIGTERM';
  const child = spawn('/bin/sh', ['-c', TETHER, stopSignal.slice(3), command, ...args], {
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: true,
    ...(env === undefined ? {} : { env }),
    ...(cwd === undefined ? {} : { cwd }),
    ...(uid === undefined ? {} : { uid }),
    ...(gid === undefined ? {} : { gid }),
  });
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', reject);
  });
  const { pid } = child;
  if (pid === undefined) throw new Error(`${command} was started without a process id.`);

  const lines: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => {
      lines.push(line);
      if (lines.length > KEPT_LINES) lines.shift();
      log(line);
    });
  }
  // The pipe breaks when the child ends first; that is no event of its own.
  child.stdin.on('error', () => {});

  let ended: Exit | undefined;
  const exited = new Promise<Exit>((resolve) => {
    child.once('exit', (code, signal) => {
      ended = { code, signal };
      child.stdin.destroy();
      resolve(ended);
    });
  });

  const endWith = async (signal: NodeJS.Signals): Promise<Exit> => {
    if (ended === undefined) child.kill(signal);
    return exited;
  };

  return {
    pid,
    exited,
    lastLines: () => [...lines],
    kill: () => endWith('SIGKILL'),
    stop: async (graceMs = GRACE_MS) => {
      const timer = setTimeout(() => {
        if (ended === undefined) child.kill('SIGKILL');
      }, graceMs);
      try {
        return await endWith(stopSignal);
      } finally {
        clearTimeout(timer);
      }
    },
  };
}

/** Says how a child ended, in words. */
export function describeExit({ code, signal }: Exit): string {
  return signal === null ? `ended with code ${code}` : `was killed by ${signal}`;
}
