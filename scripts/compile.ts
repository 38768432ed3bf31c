import { execFile } from 'node:child_process';
import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/**
 * Compiles what runs in production (`tsconfig.build.json`) to plain JavaScript in `folder`, which must lie in the
 * checkout, so that packages are found. Throws with the compiler's output.
 */
export async function compile(folder: string): Promise<void> {
  const compiler = join(ROOT, 'node_modules', '.bin', 'tsc');
  // Two checkers would work out most types twice, as in scripts/test.ts.
  const args = ['--project', 'tsconfig.build.json', '--outDir', folder, '--checkers', '1'];
  try {
    await promisify(execFile)(compiler, args, { cwd: ROOT, maxBuffer: 16 * 1_048_576 });
  } catch (error) {
    const said = error instanceof Error && 'stdout' in error ? String(error.stdout) : '';
    throw new Error(`It does not compile.\n${said}`, { cause: error });
  }
  // Read and started at run time, from beside what does; the compiler copies nothing but code of its own language.
  await cp(join(ROOT, 'db', 'migrations'), join(folder, 'db', 'migrations'), { recursive: true });
  await cp(join(ROOT, 'launcher', 'forkServer.mjs'), join(folder, 'launcher', 'forkServer.mjs'));
}
