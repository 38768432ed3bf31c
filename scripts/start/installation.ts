import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { withOwnerLock } from '../setup/ownerLock.mjs';
import { startLockOf } from '../setup/startLock.mjs';
import { type DemoMemory, type Kept, keptFile, lastStartFile, readKept, type Source } from './lastStart.ts';

/** What one source's starts keep, all of it in one folder that `--reset` removes. */
export interface Installation {
  readonly folder: string;
  readonly logs: string;
  readonly postgres: string;
  readonly temporalDatabase: string;
  readonly simulator: string;
  readonly clones: string;
  readonly keys: string;
  /** passwords of the database roles, made once */
  readonly passwords: Kept['passwords'];
  /** what the demo remembers: its API key and integration */
  readonly memory: DemoMemory;
  /** adds to what is remembered */
  remember(memory: DemoMemory): Promise<void>;
}

/**
 * Opens (or makes) the folder that one source has inside the folder of local data, and notes that this source was
 * started last. Sources share nothing: the simulator's uuids are the same in every size, so with one database the
 * watermarks of one size would hide the records of the next; and what signs in to the simulator, or an import that goes on
 * there, must never meet bitbucket.org.
 */
export async function openInstallation(
  dataFolder: string,
  source: Source,
  { reset }: { reset: boolean },
): Promise<Installation> {
  const folder = join(dataFolder, source);
  await removeAside(folder);
  if (reset) await removeInstallation(folder);
  await mkdir(folder, { recursive: true });
  const kept = (await readKept(dataFolder, source)) ?? { passwords: newPasswords(), memory: {} };

  const remember = async (memory: DemoMemory): Promise<void> => {
    kept.memory = { ...kept.memory, ...memory };
    await writeJson(keptFile(dataFolder, source), kept);
  };
  await remember({});
  await writeJson(lastStartFile(dataFolder), { source });

  return {
    folder,
    logs: join(folder, 'logs'),
    postgres: join(folder, 'postgres'),
    temporalDatabase: join(folder, 'temporal.sqlite'),
    simulator: join(folder, 'simulator'),
    clones: join(folder, 'clones'),
    keys: join(folder, 'keys'),
    passwords: kept.passwords,
    get memory() {
      return kept.memory;
    },
    remember,
  };
}

/** Somebody else runs on the same data. */
export class AlreadyRunning extends Error {
  override readonly name = 'AlreadyRunning';
}

/** Runs `work` as the only start on this folder. Throws AlreadyRunning at once when another one is up. */
export async function asOnlyStart<T>(dataFolder: string, work: () => Promise<T>): Promise<T> {
  const onWait = (pid: number): never => {
    throw new AlreadyRunning(
      `Another start runs on ${dataFolder} already (process ${pid}). Stop that one with Ctrl-C, or give this one --data FOLDER.`,
    );
  };
  return withOwnerLock(startLockOf(dataFolder), { onWait }, work);
}

/** Moved aside in one step first: a removal that is cut off leaves no half of an installation. The next start ends it. */
async function removeInstallation(folder: string): Promise<void> {
  if (existsSync(folder)) await rename(folder, asideOf(folder));
  await removeAside(folder);
}

const asideOf = (folder: string): string => `${folder}.removed`;
const removeAside = (folder: string): Promise<void> => rm(asideOf(folder), { recursive: true, force: true });

function newPasswords(): Kept['passwords'] {
  const password = (): string => randomBytes(24).toString('base64url');
  return { owner: password(), api: password(), worker: password() };
}

/** Renamed into place: a start that is cut off leaves the old file or the new one, never half of one. */
async function writeJson(file: string, value: object): Promise<void> {
  await writeFile(`${file}.new`, `${JSON.stringify(value, null, 2)}\n`, { mode: 0o600 });
  await rename(`${file}.new`, file);
}
