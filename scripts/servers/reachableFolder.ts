import { randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { canRead, type PostgresUser } from './postgresUser.ts';

/** Where things go that the user `postgres` must read when the checkout is closed to it (as `/root` is). */
export const SHARED_FOLDER = '/var/lib/bucket-brigade';

const MARKER = 'kept-elsewhere';
const OWNER = 'belongs-to';

const readIfThere = (file: string): Promise<string | undefined> =>
  readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });

/** Removes what stood for an earlier folder of the same name, which somebody has deleted since. */
async function removeOrphans(folder: string): Promise<void> {
  for (const name of await readdir(SHARED_FOLDER)) {
    const candidate = join(SHARED_FOLDER, name);
    if ((await readIfThere(join(candidate, OWNER))) === folder) {
      await rm(candidate, { recursive: true, force: true });
    }
  }
}

/**
 * The folder itself, or, where `user` cannot reach it, one that stands for it: Postgres must pass through every folder
 * above its data. A file in the folder says where; so whoever deletes the folder has forgotten the data too.
 */
export async function reachableFolder(folder: string, user: PostgresUser | undefined): Promise<string> {
  if (canRead(dirname(folder), user)) return folder;
  const elsewhere = await readIfThere(join(folder, MARKER));
  if (elsewhere !== undefined) return elsewhere;
  await mkdir(SHARED_FOLDER, { recursive: true });
  await removeOrphans(folder);
  const fresh = join(SHARED_FOLDER, `data-${randomBytes(8).toString('hex')}`);
  await mkdir(fresh);
  await writeFile(join(fresh, OWNER), folder);
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, MARKER), fresh);
  return fresh;
}
