import { createWriteStream, type WriteStream } from 'node:fs';
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

export interface SupervisorOptions {
  readonly logFolder: string;
  /** tells the person at the terminal */
  readonly say: (line: string) => void;
}

/** One child died that must not: everything ends. The message carries its last log lines. */
export class ServiceDied extends Error {
  override readonly name = 'ServiceDied';
}

export interface Supervisor {
  /**
   * Starts a child and keeps it in the list of what is stopped at the end. `restart`: when it dies unasked it is started
   * again, ten times at most; without it, or the eleventh time, `failed` rejects. Each line it prints goes to its log file.
   */
  run<S extends Service>(
    name: string,
    start: (log: (line: string) => void) => Promise<S>,
    policy?: { restart: boolean },
  ): Promise<S>;
  /** Never resolves; rejects with ServiceDied. */
  readonly failed: Promise<never>;
  /** The process of a child by its name, the newest where it was started again; undefined when there is none. */
  pidOf(name: string): number | undefined;
  /** Stops all children, the last started first. Safe to call twice. */
  stop(): Promise<void>;
}

const MAX_RESTARTS = 10;
const SHOWN_LINES = 15;

interface Child {
  readonly name: string;
  service: Service;
}

/** Keeps a set of child processes alive, in the order in which they depend on each other. */
export async function createSupervisor({ logFolder, say }: SupervisorOptions): Promise<Supervisor> {
  await mkdir(logFolder, { recursive: true });
  const children: Child[] = [];
  const logs: WriteStream[] = [];
  let stopping: Promise<void> | undefined;
  const isStopping = (): boolean => stopping !== undefined;
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

  async function watch(child: Child, again: (() => Promise<Service>) | undefined): Promise<void> {
    let restarts = 0;
    for (;;) {
      let how = describeExit(await child.service.exited);
      let lines = child.service.lastLines();
      // One that dies while it starts has died once more.
      for (let running = false; !running && !isStopping(); ) {
        if (again === undefined || restarts === MAX_RESTARTS) {
          fail(died(child.name, again === undefined ? how : `${how}, after ${MAX_RESTARTS} restarts`, lines));
          return;
        }
        restarts += 1;
        say(`${child.name} ${how}; starting it again (${restarts} of ${MAX_RESTARTS})`);
        try {
          child.service = await again();
          running = true;
        } catch (error) {
          how = 'did not get ready';
          lines = error instanceof ServerNotReady ? error.lines : [String(error)];
        }
      }
      if (!isStopping()) continue;
      await child.service.stop();
      return;
    }
  }

  return {
    failed,
    async run(name, start, policy = { restart: false }) {
      const file = createWriteStream(join(logFolder, `${name}.log`), { flags: 'a' });
      logs.push(file);
      const log = (line: string): void => void file.write(`${line}\n`);
      const service = await start(log);
      const child: Child = { name, service };
      if (stopping === undefined) children.push(child);
      else await service.stop();
      void watch(child, policy.restart ? () => start(log) : undefined);
      return service;
    },
    pidOf: (name) => children.find((child) => child.name === name)?.service.pid,
    stop() {
      stopping ??= (async () => {
        for (const child of children.toReversed()) await child.service.stop();
        for (const log of logs) log.end();
      })();
      return stopping;
    },
  };
}
