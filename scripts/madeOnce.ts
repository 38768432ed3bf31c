import { mkdir, mkdtemp, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';

/** Longer than a program that was started from such a folder runs on a developer's machine. */
const UNUSED_AFTER_MS = 30 * 24 * 60 * 60 * 1000;

/**
 * Gives the folder `name` in `cache`, which only its name decides: found, or made now by `make` (given an empty folder)
 * and renamed when whole. Safe to call in several processes at once. What nobody asked for in 30 days is removed. Throws
 * what `make` throws, with nothing left.
 */
export async function madeOnce(
  cache: string,
  name: string,
  make: (folder: string) => Promise<void>,
): Promise<string> {
  const made = join(cache, name);
  const now = new Date();
  // Asked for now: this time tells what is unused.
  const isThere = await utimes(made, now, now).then(
    () => true,
    () => false,
  );
  if (isThere) return made;
  await mkdir(cache, { recursive: true });
  await removeUnused(cache);
  const folder = await mkdtemp(join(cache, `making-${name}-`));
  try {
    await make(folder);
    await rename(folder, made);
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    // Another process was quicker.
    if (code !== 'EEXIST' && code !== 'ENOTEMPTY') throw error;
  }
  return made;
}

async function removeUnused(cache: string): Promise<void> {
  for (const name of await readdir(cache)) {
    const path = join(cache, name);
    const found = await stat(path).catch(() => undefined);
    if (found !== undefined && Date.now() - found.mtimeMs > UNUSED_AFTER_MS) {
      await rm(path, { recursive: true, force: true });
    }
  }
}
