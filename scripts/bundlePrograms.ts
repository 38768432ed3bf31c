import { copyFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** Sources that are started as processes of their own. */
const PROGRAMS = [
  'worker.ts',
  'api/server.ts',
  'simulator/main.ts',
  'scripts/apiKey.ts',
  'scripts/verify.ts',
  'test/support/refreshProcess.ts',
];

const FORK_SERVER = join(ROOT, 'launcher', 'forkServer.mjs');

/** CommonJS packages ask for these, which a module does not have. */
const COMMON_JS = `import { createRequire as requireOf } from 'node:module';
const require = requireOf(import.meta.url), __filename = import.meta.filename, __dirname = import.meta.dirname;`;

/**
 * Each program in one file of JavaScript, at its source's place with `.js` behind it. Reading, compiling and linking a
 * thousand small modules was more than half of a start. Temporal's packages stay outside: its native part and its
 * threads look for files beside them. Types are left unchecked. Throws with esbuild's messages.
 */
export async function bundlePrograms(folder: string): Promise<void> {
  await build({
    entryPoints: PROGRAMS.map((program) => join(ROOT, program)),
    outdir: folder,
    outbase: ROOT,
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    external: ['@temporalio/*'],
    banner: { js: COMMON_JS },
    logLevel: 'silent',
  });
  // Started by path, from beside the module that starts it: in each of the programs' folders.
  const folders = new Set(PROGRAMS.map((program) => join(folder, dirname(program))));
  await Promise.all([...folders].map((each) => copyFile(FORK_SERVER, join(each, basename(FORK_SERVER)))));
}
