/** `npm run build`: what runs in production, as plain JavaScript in `dist/`, with the workflows bundled ahead. */
import { copyFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compile } from './compile.ts';
import { bundledWorkflows } from './programs.ts';

const DIST = fileURLToPath(new URL('../dist', import.meta.url));

await rm(DIST, { recursive: true, force: true });
await compile(DIST);
// A worker that finds the bundle starts at once instead of running webpack, and needs no compiler in its image.
const bundle = join(DIST, 'workflow-bundle.js');
await copyFile(await bundledWorkflows(), bundle);
const { size } = await stat(bundle);
console.log(`Built into dist/ (workflow bundle: ${Math.round(size / 1024)} KB).`);
