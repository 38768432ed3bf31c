/** `npm run build`: what runs in production, as plain JavaScript in `dist/`, with the workflows bundled ahead. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compile } from './compile.ts';
import { writeWorkflowBundle } from './workflowBundle.ts';

const DIST = fileURLToPath(new URL('../dist', import.meta.url));

await rm(DIST, { recursive: true, force: true });
await compile(DIST, { project: 'tsconfig.build.json', check: true });
// A worker that finds the bundle starts at once instead of running webpack, and needs no compiler in its image.
const { kilobytes } = await writeWorkflowBundle(join(DIST, 'workflow-bundle.js'));
console.log(`Built into dist/ (workflow bundle: ${kilobytes} KB).`);
