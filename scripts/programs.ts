import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compile } from './compile.ts';
import { writeWorkflowBundle } from './workflowBundle.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
/** Within the checkout, so that compiled programs find their packages. */
const CACHE = join(ROOT, 'node_modules', '.cache', 'bucket-brigade');
const BUNDLE = 'workflow-bundle.js';
const UNUSED_AFTER_MS = 7 * 24 * 60 * 60 * 1000;

/**
 * The programs of `tsconfig.programs.json` as JavaScript, each at its source's place with `.js` behind it: they start in
 * half the time of the sources, again after each crash too. Gives their folder. Types are left to the type check.
 */
export const compiledPrograms = (): Promise<string> =>
  madeOnce('programs', (folder) => compile(folder, { project: 'tsconfig.programs.json', check: false }));

/** The file of the workflows' bundle. */
export async function bundledWorkflows(): Promise<string> {
  const folder = await madeOnce('workflows', async (made) => {
    await writeWorkflowBundle(join(made, BUNDLE));
  });
  return join(folder, BUNDLE);
}

/**
 * Makes a folder that only the sources and packages decide, or gives the one that was made of the same before. Safe to
 * call in several processes at once. What nobody asked for in a week is removed.
 */
function madeOnce(what: string, make: (folder: string) => Promise<void>): Promise<string> {
  const making = asked.get(what) ?? findOrMake(what, make);
  asked.set(what, making);
  return making;
}

/** What this process asked for already. */
const asked = new Map<string, Promise<string>>();

async function findOrMake(what: string, make: (folder: string) => Promise<void>): Promise<string> {
  const made = join(CACHE, `${what}-${await sourcesKey()}`);
  const now = new Date();
  // An own time of last use: it may be running for longer than it was made ago.
  const isThere = await utimes(made, now, now).then(
    () => true,
    () => false,
  );
  if (isThere) return made;
  await mkdir(CACHE, { recursive: true });
  await removeUnused();
  const folder = await mkdtemp(join(CACHE, `making-${what}-`));
  try {
    await make(folder);
    await rename(folder, made);
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    // Another process was quicker.
    if (!(error instanceof Error && 'code' in error && ['EEXIST', 'ENOTEMPTY'].includes(String(error.code))))
      throw error;
  }
  return made;
}

async function removeUnused(): Promise<void> {
  for (const name of await readdir(CACHE)) {
    const path = join(CACHE, name);
    const found = await stat(path).catch(() => undefined);
    if (found !== undefined && Date.now() - found.mtimeMs > UNUSED_AFTER_MS) {
      await rm(path, { recursive: true, force: true });
    }
  }
}

let key: Promise<string> | undefined;

/** A hash over all that is compiled or bundled, asked of the disk once a process. */
const sourcesKey = (): Promise<string> => (key ??= hashSources());

async function hashSources(): Promise<string> {
  const digest = createHash('sha256');
  for (const path of await sources(ROOT))
    digest
      .update(`${path}\0`)
      .update(await readFile(path))
      .update('\0');
  return digest.digest('hex').slice(0, 16);
}

const ELSEWHERE = new Set(['node_modules', 'dist', 'docs']);
const isSource = (name: string): boolean =>
  /\.(?:ts|mjs|sql)$|^tsconfig.*\.json$|^package-lock\.json$/.test(name) && !name.endsWith('.test.ts');

async function sources(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  const found = await Promise.all(
    entries.map(async (entry) => {
      const path = join(folder, entry.name);
      if (entry.isFile()) return isSource(entry.name) ? [path] : [];
      const isOurs = entry.isDirectory() && !entry.name.startsWith('.') && !ELSEWHERE.has(entry.name);
      return isOurs ? sources(path) : [];
    }),
  );
  return found.flat().toSorted();
}
