import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { withOwnerLock } from '../setup/ownerLock.mjs';

/** Where a checkout keeps what lasts between starts, unless told otherwise. */
export const dataFolderOf = (root: string): string => join(root, '.bucket-brigade');

/** What one checkout keeps between starts, all of it in one folder that `--reset` removes. */
export interface Installation {
  readonly folder: string;
  readonly logs: string;
  readonly postgres: string;
  readonly temporalDatabase: string;
  readonly simulator: string;
  readonly clones: string;
  readonly keys: string;
  /** passwords of the database roles, made once */
  readonly passwords: { readonly owner: string; readonly api: string; readonly worker: string };
  /** what the demo remembers: its API key and integration */
  readonly memory: DemoMemory;
  /** adds to what is remembered */
  remember(memory: DemoMemory): Promise<void>;
}

const memorySchema = z.object({
  organizationId: z.string().optional(),
  apiKey: z.string().optional(),
  integrationId: z.string().optional(),
  /** where the running parts were last found */
  simulator: z.string().optional(),
  workerDatabaseUrl: z.string().optional(),
});
/** What the last start remembers for the next one, and for `npm run verify`. */
export type DemoMemory = z.infer<typeof memorySchema>;

const keptSchema = z.object({
  passwords: z.object({ owner: z.string(), api: z.string(), worker: z.string() }),
  memory: memorySchema,
});
type Kept = z.infer<typeof keptSchema>;

/**
 * Opens (or makes) the folder of local data. The simulator's world depends on its size and seed, so data of another
 * size is not mixed with it: the simulator keeps a folder a size, and Postgres keeps both.
 */
export async function openInstallation(folder: string, reset: boolean): Promise<Installation> {
  await mkdir(folder, { recursive: true });
  if (reset) await forget(folder);
  const file = join(folder, 'start.json');
  const kept = await readKept(file);

  const remember = async (memory: DemoMemory): Promise<void> => {
    kept.memory = { ...kept.memory, ...memory };
    await writeKept(file, kept);
  };
  await remember(kept.memory);

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

const LOCK = 'start.lock';

/** Somebody else runs on the same data. */
export class AlreadyRunning extends Error {
  override readonly name = 'AlreadyRunning';
}

/** Runs `work` as the only start on this folder. Throws AlreadyRunning at once when another one is up. */
export async function asOnlyStart<T>(folder: string, work: () => Promise<T>): Promise<T> {
  const onWait = (pid: number): never => {
    throw new AlreadyRunning(
      `Another start runs on ${folder} already (process ${pid}). Stop that one with Ctrl-C, or give this one --data FOLDER.`,
    );
  };
  return withOwnerLock(join(folder, LOCK), { onWait }, work);
}

/** Everything but the lock that this very start holds. */
async function forget(folder: string): Promise<void> {
  const entries = (await readdir(folder)).filter((entry) => !entry.startsWith(LOCK));
  await Promise.all(entries.map((entry) => rm(join(folder, entry), { recursive: true, force: true })));
}

async function readKept(file: string): Promise<Kept> {
  if (existsSync(file)) return keptSchema.parse(JSON.parse(await readFile(file, 'utf8')));
  const password = (): string => randomBytes(24).toString('base64url');
  return { passwords: { owner: password(), api: password(), worker: password() }, memory: {} };
}

/** Renamed into place: a start that is cut off leaves the old file or the new one, never half of one. */
async function writeKept(file: string, kept: Kept): Promise<void> {
  await writeFile(`${file}.new`, `${JSON.stringify(kept, null, 2)}\n`, { mode: 0o600 });
  await rename(`${file}.new`, file);
}
