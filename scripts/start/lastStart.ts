import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { SIZES } from './options.ts';

/** Where a checkout keeps what lasts between starts, unless told otherwise. */
export const dataFolderOf = (root: string): string => join(root, '.bucket-brigade');

const sourceSchema = z.enum([...SIZES, 'bitbucket']);
/** What a start imports from: the simulator's world of one size, or the real Bitbucket Cloud. */
export type Source = z.infer<typeof sourceSchema>;

const memorySchema = z.object({
  organizationId: z.string().optional(),
  apiKey: z.string().optional(),
  integrationId: z.string().optional(),
  /** local git repositories that the simulator serves, in the order in which they were first named */
  repositories: z.array(z.string()).optional(),
  /** where the running parts were last found */
  simulator: z.string().optional(),
  workerDatabaseUrl: z.string().optional(),
  ownerDatabaseUrl: z.string().optional(),
});
/** What a start remembers for the next one, and for the commands that are run beside it. */
export type DemoMemory = z.infer<typeof memorySchema>;

const keptSchema = z.object({
  passwords: z.object({ owner: z.string(), api: z.string(), worker: z.string() }),
  memory: memorySchema,
});
/** What a source's folder keeps in `start.json`. */
export type Kept = z.infer<typeof keptSchema>;

/** The files by which starts find each other: what was kept of one source, and which source was the last. */
export const keptFile = (dataFolder: string, source: Source): string =>
  join(dataFolder, source, 'start.json');
export const lastStartFile = (dataFolder: string): string => join(dataFolder, 'last-start.json');
const lastStartSchema = z.object({ source: sourceSchema });

/** What earlier starts of this source kept; undefined: there were none. */
export async function readKept(dataFolder: string, source: Source): Promise<Kept | undefined> {
  const kept = await readJson(keptFile(dataFolder, source));
  return kept === undefined ? undefined : keptSchema.parse(kept);
}

/**
 * What the last start on this folder remembers; undefined: there was none. Reads only, so it is safe beside a start
 * that runs, and with a folder that is not there.
 */
export async function readLastStart(dataFolder: string): Promise<DemoMemory | undefined> {
  const last = await readJson(lastStartFile(dataFolder));
  if (last === undefined) return undefined;
  return (await readKept(dataFolder, lastStartSchema.parse(last).source))?.memory;
}

async function readJson(file: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(file, 'utf8'));
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}
