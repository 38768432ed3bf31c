import { randomBytes } from 'node:crypto';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import postgres from 'postgres';
import { openInstallation } from '../../scripts/start/installation.ts';
import { dataFolderOf } from '../../scripts/start/lastStart.ts';
import { type Addresses, startServices, workerName } from '../../scripts/start/services.ts';
import { withOwnerLock } from '../../scripts/setup/ownerLock.mjs';
import { createSupervisor } from '../../scripts/start/supervisor.ts';
import { cpuSeconds } from './cpuTime.ts';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));

export interface StandOptions {
  /** the simulator's options by name (simulator/README.md); no limit unless told, data kept between runs */
  simulator: Readonly<Record<string, string | true>>;
  /** what the simulator serves is made anew and is the stand's own: for those who change it */
  ownWorld?: boolean;
  /** local git repositories that the simulator serves too */
  repositories?: readonly string[];
  /** default 1 */
  workers?: number;
  /** more settings for api and workers */
  environment?: Readonly<Record<string, string>>;
  /** Postgres and Temporal may be killed too */
  restartServers?: boolean;
  /** how often what may be killed is killed; default: the supervisor's */
  maxRestarts?: number;
  /** a folder: api and workers write their CPU profiles there when they end, and Postgres its statements' costs */
  cpuProfile?: string | undefined;
  say: (line: string) => void;
}

/**
 * Everything that `npm start` starts, as processes of their own and on data of their own: Postgres, Temporal on disk,
 * simulator, workers, api.
 */
export interface Stand extends Addresses {
  readonly simulator: string;
  /** the superuser's view: it sees all organizations' rows */
  readonly sql: postgres.Sql;
  readonly workers: readonly string[];
  /** its folder, removed in the end */
  readonly folder: string;
  /** where the logs of its processes lie */
  readonly logs: string;
  /** where its keys lie (scripts/keys/keyFolder.ts) */
  readonly keys: string;
  /** process id by name (`worker`, `worker-2`, `api`, `simulator`, `postgres`, `temporal`); throws when there is none */
  pidOf(name: string): number;
  /** processor seconds so far, by process */
  cpu(): Promise<Record<string, number>>;
}

/**
 * Starts a stand, runs `work` on it, and stops and removes all of it whatever happened. Waits while another stand of this
 * checkout serves the same kept world: two simulators would write into the same git repositories.
 */
export async function withStand<T>(options: StandOptions, work: (stand: Stand) => Promise<T>): Promise<T> {
  if (options.ownWorld === true) return withWorld(options, undefined, work);
  const world = worldFolder(options.simulator);
  const onWait = (pid: number): void =>
    options.say(`Process ${pid} serves the same repositories; waiting until it ends …`);
  return withOwnerLock(`${world}.lock`, { onWait }, () => withWorld(options, world, work));
}

/** `keptWorld`: where the simulator keeps its git repositories between runs; undefined: in the stand's folder. */
async function withWorld<T>(
  options: StandOptions,
  keptWorld: string | undefined,
  work: (stand: Stand) => Promise<T>,
): Promise<T> {
  const { say, simulator, workers = 1, cpuProfile, maxRestarts, restartServers = false } = options;
  const folder = await mkdtemp(join(tmpdir(), 'bucket-brigade-bench-'));
  // Under root Postgres runs as another user, who must get in.
  await chmod(folder, 0o755);
  const installation = await openInstallation(folder, 'small', { reset: false });
  const supervisor = await createSupervisor({
    logFolder: installation.logs,
    say,
    ...(maxRestarts === undefined ? {} : { maxRestarts }),
  });
  try {
    say('starting Postgres, Temporal, simulator, worker and api (the first time its data is made: minutes)');
    const addresses = await startServices({
      root: ROOT,
      installation,
      supervisor,
      environment: { ...process.env, ...options.environment },
      restartServers,
      say,
      workers,
      simulator: { limit: '0', data: keptWorld ?? installation.simulator, ...simulator },
      ...(cpuProfile === undefined ? {} : { postgres: STATEMENT_COSTS }),
      nodeArguments: cpuProfile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${cpuProfile}`],
      options: {
        exitWhenDone: true,
        summaryFile: undefined,
        reset: false,
        size: 'small',
        repositories: options.repositories ?? [],
        data: folder,
        bitbucket: false,
      },
    });
    if (addresses.simulator === undefined) throw new Error('The stand has no simulator.');
    const sql = postgres(addresses.adminUrl, { max: 4, onnotice: () => {} });
    if (cpuProfile !== undefined) await sql`create extension if not exists pg_stat_statements`;
    const stand: Stand = {
      ...addresses,
      simulator: addresses.simulator,
      sql,
      folder,
      logs: installation.logs,
      keys: installation.keys,
      workers: Array.from({ length: workers }, (_, index) => workerName(index + 1)),
      pidOf(name) {
        const pid = supervisor.pidOf(name);
        if (pid === undefined) throw new Error(`The stand has no process ${name}.`);
        return pid;
      },
      async cpu() {
        const names = ['simulator', 'postgres', 'temporal', 'api', ...stand.workers];
        const spent = await Promise.all(names.map((name) => cpuSeconds(stand.pidOf(name))));
        return Object.fromEntries(names.map((name, index) => [name, spent[index] ?? Number.NaN]));
      },
    };
    try {
      return await Promise.race([work(stand), supervisor.failed]);
    } finally {
      if (cpuProfile !== undefined) await writeStatements(sql, join(cpuProfile, 'statements.txt'));
      await sql.end({ timeout: 1 });
    }
  } finally {
    await supervisor.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

const STATEMENT_COSTS = {
  shared_preload_libraries: 'pg_stat_statements',
  'pg_stat_statements.track_planning': 'on',
  'pg_stat_statements.track': 'all',
};

/** What Postgres spent its time with, the costliest statement first. */
async function writeStatements(sql: postgres.Sql, file: string): Promise<void> {
  const rows = await sql<{ calls: string; plan: number; execution: number; query: string }[]>`
    select calls::text, total_plan_time as plan, total_exec_time as execution, regexp_replace(query, '\\s+', ' ', 'g') as query
    from pg_stat_statements order by total_plan_time + total_exec_time desc limit 60`;
  const lines = rows.map(
    ({ calls, plan, execution, query }) =>
      `${calls.padStart(8)} calls ${plan.toFixed(0).padStart(8)} ms planned ${execution.toFixed(0).padStart(8)} ms executed  ${query}`,
  );
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, `${lines.join('\n')}\n`);
}

/** Git repositories of a generated world are made once and kept in the checkout's data folder. */
function worldFolder(simulator: StandOptions['simulator']): string {
  const shape = ['mix', 'commits', 'many', 'size', 'seed', 'era'].flatMap((name) => {
    const value = simulator[name];
    return value === undefined ? [] : [`${name}-${value}`];
  });
  return join(dataFolderOf(ROOT), 'bench', shape.join('-') || 'default');
}

export const uniqueName = (what: string): string => `${what} ${randomBytes(6).toString('hex')}`;

/** Runs `work` and says what processor time it took, which a busy machine changes less than the time on the clock. */
export async function tellingCpu<T>(
  stand: Stand,
  say: (line: string) => void,
  work: () => Promise<T>,
): Promise<T> {
  const before = await stand.cpu();
  const result = await work();
  const after = await stand.cpu();
  const spent = Object.entries(after).map(
    ([name, seconds]) => `${name} ${(seconds - (before[name] ?? 0)).toFixed(1)}`,
  );
  say(`  processor seconds: ${spent.join(', ')}`);
  return result;
}
