import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { openapiText } from './openapi/openapiText.ts';

/** Writes docs/openapi.json, which a test holds to what the api serves. */
const path = fileURLToPath(new URL('../docs/openapi.json', import.meta.url));
await writeFile(path, openapiText());
console.log(`Wrote ${path}`);
