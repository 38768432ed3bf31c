import { randomBytes } from 'node:crypto';
import { chmod, mkdir, mkdtemp, rm, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SEARCH_ATTRIBUTES } from '../../workflows/searchAttributes.ts';
import { startPostgres } from '../servers/embeddedPostgres.ts';
import { removeDataBelow } from '../servers/reachableFolder.ts';
import { type RunningTemporal, startTemporal } from '../servers/temporalDevServer.ts';
import { findTemporalCli } from '../setup/temporalCli.mjs';
import { bundledWorkflows, bundledPrograms } from '../programs.ts';
import { tellCrashes } from './postgresCrashes.ts';

/** What all test projects of a run share. */
export interface SharedServers {
  /** Superuser, database `postgres`. Tests work on databases of their own: see `createTestDatabase`. */
  readonly postgresUrl: string;
  /** Of the roles that `db/provision.ts` makes, the same for all databases of a run. */
  readonly rolePasswords: { readonly owner: string; readonly api: string; readonly worker: string };
  /** The Temporal CLI, for tests that restart a server and so need one of their own. */
  readonly temporalCli: string;
  /** The workflows, bundled once for all worker processes of a run. */
  readonly workflowBundle: string;
  /** Folder of what tests start as processes, each bundled: it starts in a third of the time of the sources. */
  readonly programs: string;
}

/** What every test file of `integration`, `timed` and `e2e` gets by `inject('servers')`. */
export interface TestServers extends SharedServers {
  /** host:port */
  readonly temporalAddress: string;
  readonly temporalNamespace: string;
}

/** Servers that run, and what the processes of tests are to have in their environment. */
export interface StartedServers {
  readonly servers: SharedServers;
  readonly environment: Readonly<Record<string, string>>;
  readonly stop: () => Promise<void>;
}

/** Holds the shared servers of a run as JSON, for test projects that are to use them together. */
export const TEST_SERVERS = 'TEST_SERVERS';

export const TEST_NAMESPACE = 'bucket-brigade';
const password = (): string => randomBytes(18).toString('base64url');

const MEMORY = '/dev/shm';
const ROOMY_BYTES = 4 * 1_073_741_824;

/**
 * Databases, clones and repositories of a run are many small files that nobody wants to keep: in memory where there is
 * room (Linux), else in the usual folder. A container's `/dev/shm` is often of 64 MB only.
 */
async function folderForMuch(): Promise<string> {
  const found = await statfs(MEMORY).catch(() => undefined);
  return found !== undefined && found.bavail * found.bsize >= ROOMY_BYTES ? MEMORY : tmpdir();
}

/**
 * A Temporal dev server of one project's own: its lists of runs grow slower with every run that it has had, which cost
 * projects that shared one more than to start another.
 */
export const startProjectTemporal = (executable: string): Promise<RunningTemporal> =>
  startTemporal({
    executable,
    namespace: TEST_NAMESPACE,
    searchAttributes: SEARCH_ATTRIBUTES,
    log: () => {},
  });

/**
 * Starts a Postgres, and compiles what tests start as processes. Throws what the first of them throws that fails, with
 * nothing left running.
 */
export async function startSharedServers(say: (message: string) => void): Promise<StartedServers> {
  const { path: temporalCli } = await findTemporalCli({ say });
  const folder = await mkdtemp(join(await folderForMuch(), 'bucket-brigade-test-'));
  // Under root Postgres runs as another user, who must get in.
  await chmod(folder, 0o755);
  const repositories = join(folder, 'repositories');
  await mkdir(repositories);
  const temporary = join(folder, 'tmp');
  await mkdir(temporary, { mode: 0o777 });
  const [postgres, bundle, compiled] = await Promise.allSettled([
    startPostgres({ folder: join(folder, 'postgres'), persistent: false, log: tellCrashes(say) }),
    bundledWorkflows(),
    bundledPrograms(),
  ]);
  const stop = async (): Promise<void> => {
    if (postgres.status === 'fulfilled') await postgres.value.stop();
    await removeDataBelow(folder);
    await rm(folder, { recursive: true, force: true });
  };
  if (postgres.status === 'rejected' || bundle.status === 'rejected' || compiled.status === 'rejected') {
    await stop();
    throw [postgres, bundle, compiled].find((started) => started.status === 'rejected')?.reason;
  }
  return {
    servers: {
      postgresUrl: postgres.value.url,
      rolePasswords: { owner: password(), api: password(), worker: password() },
      temporalCli,
      workflowBundle: bundle.value,
      programs: compiled.value,
    },
    // Simulators of all files make the same few repositories.
    environment: { SIMULATOR_GIT_CACHE: repositories, TMPDIR: temporary },
    stop,
  };
}
