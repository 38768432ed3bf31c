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

async function removeData(isTheirs: (owner: string) => boolean): Promise<void> {
  const names = await readdir(SHARED_FOLDER).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  for (const name of names) {
    const candidate = join(SHARED_FOLDER, name);
    // What cannot be read is somebody else's.
    const owner = await readIfThere(join(candidate, OWNER)).catch(() => undefined);
    if (owner !== undefined && isTheirs(owner)) await rm(candidate, { recursive: true, force: true });
  }
}

/** Removes what stands for folders within this one, which is about to be deleted. */
export const removeDataBelow = (folder: string): Promise<void> =>
  removeData((owner) => owner.startsWith(`${folder}/`));

/**
 * The folder itself, or, where `user` cannot reach it, one that stands for it: Postgres must pass through every folder
 * above its data. A file in the folder says where; so whoever deletes the folder has forgotten the data too.
 */
export async function reachableFolder(folder: string, user: PostgresUser | undefined): Promise<string> {
  if (canRead(dirname(folder), user)) return folder;
  const elsewhere = await readIfThere(join(folder, MARKER));
  if (elsewhere !== undefined) return elsewhere;
  await mkdir(SHARED_FOLDER, { recursive: true });
  // What stood for an earlier folder of the same name, which somebody has deleted since.
  await removeData((owner) => owner === folder);
  const fresh = join(SHARED_FOLDER, `data-${randomBytes(8).toString('hex')}`);
  await mkdir(fresh);
  await writeFile(join(fresh, OWNER), folder);
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, MARKER), fresh);
  return fresh;
}
