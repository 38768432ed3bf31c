import { createWriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describeExit, type Exit } from '../servers/childProcess.ts';
import { ServerNotReady } from '../servers/untilReady.ts';

/** What the supervisor needs to know of a running child. */
export interface Service {
  readonly pid: number;
  readonly exited: Promise<Exit>;
  lastLines(): readonly string[];
  stop(): Promise<unknown>;
}

/**
 * Starts a service. Each line that it prints goes to `log`; when `signal` comes it gives up, leaves nothing running and
 * throws.
 */
export type StartService<S extends Service> = (
  log: (line: string) => void,
  signal: AbortSignal,
) => Promise<S>;

export interface SupervisorOptions {
  readonly logFolder: string;
  /** tells the person at the terminal */
  readonly say: (line: string) => void;
  /** how often each child that may die is started again; default 10 */
  readonly maxRestarts?: number;
}

/** One child died that must not: everything ends. The message carries its last log lines. */
export class ServiceDied extends Error {
  override readonly name = 'ServiceDied';
}

export interface Supervisor {
  /**
   * Starts a child and keeps it in the list of what is stopped at the end. `restart`: when it dies unasked it is started
   * again, `maxRestarts` times at most; without it, or the next time, `failed` rejects. Each line it prints goes to its
   * log file.
   */
  run<S extends Service>(name: string, start: StartService<S>, policy?: { restart: boolean }): Promise<S>;
  /** Never resolves; rejects with ServiceDied. */
  readonly failed: Promise<never>;
  /** The process id that a child has now; undefined when it was not started. */
  pidOf(name: string): number | undefined;
  /** Gives up what still starts, then stops all children, the last started first. Safe to call twice. */
  stop(): Promise<void>;
}

const MAX_RESTARTS = 10;
const SHOWN_LINES = 15;

interface Child {
  readonly name: string;
  service: Service;
}

/** Keeps a set of child processes alive, in the order in which they depend on each other. */
export async function createSupervisor({
  logFolder,
  say,
  maxRestarts = MAX_RESTARTS,
}: SupervisorOptions): Promise<Supervisor> {
  await mkdir(logFolder, { recursive: true });
  const children: Child[] = [];
  const logs: LogFile[] = [];
  const leaving = new AbortController();
  const starting = new Set<Promise<unknown>>();
  let stopping: Promise<void> | undefined;
  const isStopping = (): boolean => leaving.signal.aborted;
  let fail: (reason: ServiceDied) => void = () => {};
  const failed = new Promise<never>((_, reject) => {
    fail = reject;
  });
  // Whoever awaits `failed` sees it; before anybody does, it must not end the process as unhandled.
  failed.catch(() => {});

  const died = (name: string, how: string, lines: readonly string[]): ServiceDied => {
    const last = lines.slice(-SHOWN_LINES).map((line) => `  ${line}`);
    const log = join(logFolder, `${name}.log`);
    return new ServiceDied([`${name} ${how}. Its last lines (all in ${log}):`, ...last].join('\n'));
  };

  /** `stop` waits for it: what is started must be among the children, or gone, before they are stopped. */
  async function untilStarted<T>(work: () => Promise<T>): Promise<T> {
    const started = work();
    starting.add(started);
    try {
      return await started;
    } finally {
      starting.delete(started);
    }
  }

  async function watch(child: Child, again: (() => Promise<Service>) | undefined): Promise<void> {
    let restarts = 0;
    for (;;) {
      let how = describeExit(await child.service.exited);
      let lines = child.service.lastLines();
      // One that dies while it starts has died once more.
      for (let running = false; !running && !isStopping(); ) {
        if (again === undefined || restarts === maxRestarts) {
          fail(died(child.name, again === undefined ? how : `${how}, after ${maxRestarts} restarts`, lines));
          return;
        }
        restarts += 1;
        say(`${child.name} ${how}; starting it again (${restarts} of ${maxRestarts})`);
        try {
          await untilStarted(async () => {
            child.service = await again();
          });
          running = true;
        } catch (error) {
          how = 'did not get ready';
          lines = error instanceof ServerNotReady ? error.lines : [String(error)];
        }
      }
      if (isStopping()) return;
    }
  }

  return {
    failed,
    pidOf: (name) => children.find((child) => child.name === name)?.service.pid,
    async run(name, start, policy = { restart: false }) {
      if (isStopping()) throw new Error(`${name} is not started: everything is being stopped.`);
      const log = openLog(join(logFolder, `${name}.log`), say);
      logs.push(log);
      const begin = () => start((line) => log.write(line), leaving.signal);
      return untilStarted(async () => {
        const first = await begin();
        const child: Child = { name, service: first };
        children.push(child);
        void watch(child, policy.restart ? begin : undefined);
        return first;
      });
    },
    stop() {
      leaving.abort();
      stopping ??= (async () => {
        await Promise.allSettled(starting);
        for (const child of children.toReversed()) await child.service.stop();
        for (const log of logs) log.end();
      })();
      return stopping;
    },
  };
}

interface LogFile {
  write(line: string): void;
  end(): void;
}

/** A log that cannot be written (a full disk) is said once and ends nothing; lines after the end are dropped. */
function openLog(path: string, say: (line: string) => void): LogFile {
  const file = createWriteStream(path, { flags: 'a' });
  file.on('error', (error) => say(`${path} cannot be written any more: ${error.message}`));
  return {
    write(line) {
      if (file.writable) file.write(`${line}\n`);
    },
    end: () => void file.end(),
  };
}
