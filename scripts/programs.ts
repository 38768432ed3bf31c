import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundlePrograms } from './bundlePrograms.ts';
import { madeOnce } from './madeOnce.ts';
import { writeWorkflowBundle } from './workflowBundle.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
/** Within the checkout, so that compiled programs find their packages. */
const CACHE = join(ROOT, 'node_modules', '.cache', 'bucket-brigade');
const BUNDLE = 'workflow-bundle.js';

/**
 * What is started as processes, bundled (`bundlePrograms.ts`): a third of the processor time that the sources take to
 * start, again after each crash too. Gives their folder. Types are left to the type check.
 */
export const bundledPrograms = (): Promise<string> => ofSources('programs', bundlePrograms);

/** The file of the workflows' bundle. */
export async function bundledWorkflows(): Promise<string> {
  const folder = await ofSources('workflows', (made) => writeWorkflowBundle(join(made, BUNDLE)));
  return join(folder, BUNDLE);
}

/** What this process asked for already. */
const asked = new Map<string, Promise<string>>();

function ofSources(what: string, make: (folder: string) => Promise<void>): Promise<string> {
  const folder = asked.get(what) ?? hashSources().then((hash) => madeOnce(CACHE, `${what}-${hash}`, make));
  asked.set(what, folder);
  return folder;
}

/** A hash over all that is compiled or bundled. */
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
