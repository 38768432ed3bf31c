import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chown, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import postgres from 'postgres';
import { type ChildServer, describeExit, type Exit, startChild } from './childProcess.ts';
import { freePort } from './freePort.ts';
import { type PostgresPrograms, postgresPrograms } from './postgresPrograms.ts';
import { type PostgresUser, postgresUser } from './postgresUser.ts';
import { removeStalePostmasterPid } from './postmasterPid.ts';
import { reachableFolder } from './reachableFolder.ts';
import { ServerNotReady, untilReady } from './untilReady.ts';

const SUPERUSER = 'postgres';
const READY_TIMEOUT_MS = 60_000;
/** Backends of a killed server take a moment to notice, and hold its shared memory until then. */
const RESTART_WINDOW_MS = 15_000;

const ALWAYS = {
  listen_addresses: '127.0.0.1',
  // No socket file: its path may be too long (107 bytes), and it would be one more thing to clear away.
  unix_socket_directories: '',
  max_connections: '200',
  timezone: 'UTC',
  // Compiling costs more than it saves on statements as short as ours.
  jit: 'off',
};

/**
 * Data need not outlive the machine. Commits still reach the operating system, so that a killed server loses none. Nor are
 * passwords of minutes worth 4,096 rounds for each connection.
 */
const THROWAWAY = { fsync: 'off', full_page_writes: 'off', scram_iterations: '1' };

export interface PostgresOptions {
  /** Where the data and the superuser's password are kept; made when missing. */
  readonly folder: string;
  /** The port to prefer; the next free one is taken. Any free one when left out. */
  readonly port?: number;
  /** True: data survives a power cut. False: fast, for tests; the folder is still the caller's to remove. */
  readonly persistent: boolean;
  /** More settings, by name. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Called with each line that Postgres prints. */
  readonly log: (line: string) => void;
  /** Gives a start up that is not ready yet. */
  readonly signal?: AbortSignal;
}

/** A running Postgres on 127.0.0.1. */
export interface RunningPostgres {
  /** Connects as superuser to the database `postgres`. */
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** Resolves when the server has ended, for whatever reason. */
  readonly exited: Promise<Exit>;
  lastLines(): readonly string[];
  /** A fast shutdown: open transactions are rolled back, data is written. */
  stop(): Promise<void>;
  /** Ends it as a crash would; the next start on the folder recovers. */
  kill(): Promise<void>;
}

async function initialise(
  programs: PostgresPrograms,
  folder: string,
  user: PostgresUser | undefined,
  log: (line: string) => void,
): Promise<void> {
  const data = join(folder, 'data');
  if (existsSync(join(data, 'PG_VERSION'))) return;
  const passwordFile = join(folder, 'password');
  // Made beside and renamed: an interrupted initdb leaves nothing that looks like a database.
  const unfinished = join(folder, 'data.new');
  await rm(unfinished, { recursive: true, force: true });
  await writeFile(passwordFile, randomBytes(24).toString('base64url'), { mode: 0o600 });
  if (user !== undefined) await chown(passwordFile, user.uid, user.gid);
  const initdb = await startChild({
    command: programs.initdb,
    args: [
      `--pgdata=${unfinished}`,
      `--username=${SUPERUSER}`,
      `--pwfile=${passwordFile}`,
      '--auth=scram-sha-256',
      '--encoding=UTF8',
      // Postgres' own C.UTF-8 is the same on every system, whatever locales that has.
      '--locale-provider=builtin',
      '--builtin-locale=C.UTF-8',
      '--locale=C',
      '--no-sync',
      '--no-instructions',
    ],
    cwd: folder,
    log,
    ...user,
  });
  const exit = await initdb.exited;
  if (exit.code !== 0) {
    throw new Error(`initdb ${describeExit(exit)} on ${data}:\n  ${initdb.lastLines().join('\n  ')}`);
  }
  await rename(unfinished, data);
}

async function startOnce(
  programs: PostgresPrograms,
  folder: string,
  port: number,
  user: PostgresUser | undefined,
  options: PostgresOptions,
): Promise<{ child: ChildServer; url: string }> {
  const settings = { ...ALWAYS, ...(options.persistent ? {} : THROWAWAY), ...options.settings };
  const data = join(folder, 'data');
  await removeStalePostmasterPid(data);
  const password = await readFile(join(folder, 'password'), 'utf8');
  const url = `postgres://${SUPERUSER}:${password}@127.0.0.1:${port}/postgres`;
  const child = await startChild({
    command: programs.postgres,
    args: [
      '-D',
      data,
      '-p',
      String(port),
      ...Object.entries(settings).flatMap(([key, value]) => ['-c', `${key}=${value}`]),
    ],
    // SIGTERM would wait for every client to leave.
    stopSignal: 'SIGINT',
    cwd: folder,
    log: options.log,
    ...user,
  });
  const probe = async (): Promise<void> => {
    const sql = postgres(url, { max: 1, connect_timeout: 5, onnotice: () => {} });
    try {
      // The folder too: another Postgres may have been faster to take the port.
      const [row] = await sql<[{ folder: string }]>`select current_setting('data_directory') as folder`;
      if (row.folder !== data) throw new Error(`port ${port} belongs to another Postgres`);
    } finally {
      await sql.end({ timeout: 1 });
    }
  };
  try {
    await untilReady('Postgres', child, probe, READY_TIMEOUT_MS, options.signal);
  } catch (error) {
    await child.stop();
    throw error;
  }
  return { child, url };
}

/**
 * Starts the Postgres that comes with the npm packages, on the data in `folder`, and waits until it answers.
 * As root it runs as the system user `postgres`, whose files the data then are; where that user cannot reach the
 * folder, the data is kept below /var/lib/bucket-brigade instead.
 * Throws an Error with Postgres' own last lines when it does not start.
 */
export async function startPostgres(options: PostgresOptions): Promise<RunningPostgres> {
  const user = postgresUser();
  const wanted = resolve(options.folder);
  await mkdir(dirname(wanted), { recursive: true });
  const folder = await reachableFolder(wanted, user);
  await mkdir(folder, { recursive: true, mode: 0o755 });
  if (user !== undefined) await chown(folder, user.uid, user.gid);
  const programs = await postgresPrograms(user);
  await initialise(programs, folder, user, options.log);

  const deadline = Date.now() + RESTART_WINDOW_MS;
  for (;;) {
    const port = await freePort(options.port);
    try {
      const { child, url } = await startOnce(programs, folder, port, user, options);
      return {
        url,
        port,
        pid: child.pid,
        exited: child.exited,
        lastLines: () => child.lastLines(),
        stop: async () => void (await child.stop(20_000)),
        kill: async () => void (await child.kill()),
      };
    } catch (error) {
      // Postgres has no codes for these; both pass by themselves, so another try is harmless where the text is wrong.
      const passing =
        error instanceof ServerNotReady &&
        error.lines.some((line) => /shared memory block|could not bind|Address already in use/.test(line));
      if (!passing || Date.now() > deadline || options.signal?.aborted === true) throw error;
      await sleep(200);
    }
  }
}
