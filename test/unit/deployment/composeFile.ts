import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';

/** The checkout. */
export const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

/** The text of one of its files. */
export const read = (file: string): Promise<string> => readFile(join(ROOT, file), 'utf8');

/** What the tests look at in a service of docker-compose.yml. */
export interface Service {
  image: string;
  build?: { target: string };
  command?: string[];
  entrypoint?: string[];
  environment?: Record<string, string>;
  secrets?: string[];
  volumes?: string[];
  networks?: string[];
  ports?: string[];
  profiles?: string[];
  restart?: string;
  healthcheck?: { test?: string[]; disable?: boolean };
  depends_on?: Record<string, { condition: string }>;
}
export interface ComposeFile {
  services: Record<string, Service>;
  secrets: Record<string, { file: string }>;
  networks: Record<string, { internal?: boolean }>;
}

/** docker-compose.yml with its merge keys resolved. */
export async function readCompose(): Promise<ComposeFile> {
  return parse(await read('docker-compose.yml'), { merge: true });
}
