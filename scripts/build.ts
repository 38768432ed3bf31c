/** `npm run build`: what runs in production, as plain JavaScript in `dist/`, with the workflows bundled ahead. */
import { spawnSync } from 'node:child_process';
import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { writeWorkflowBundle } from './workflowBundle.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const DIST = join(ROOT, 'dist');

await rm(DIST, { recursive: true, force: true });
const compiled = spawnSync(join(ROOT, 'node_modules', '.bin', 'tsc'), ['--project', 'tsconfig.build.json'], {
  cwd: ROOT,
  stdio: 'inherit',
});
// The compiler has said why.
if (compiled.status !== 0) process.exit(1);

// Read at run time from beside db/migrate.js; tsc copies nothing but code.
await cp(join(ROOT, 'db', 'migrations'), join(DIST, 'db', 'migrations'), { recursive: true });
// A worker that finds the bundle starts at once instead of running webpack, and needs no compiler in its image.
const { kilobytes } = await writeWorkflowBundle(join(DIST, 'workflow-bundle.js'));
console.log(`Built into dist/ (workflow bundle: ${kilobytes} KB).`);
