import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Files of one of vitest's projects, by their paths from the project's root. */
export interface SoakSuite {
  project: string;
  files: readonly string[];
}

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const TEST_FILE = '.test.ts';

/** Where `seeds()` or `isSoak()` decides how much is done, and models of commands run MODEL_RUNS times: files, and a folder. */
const SUITES: readonly SoakSuite[] = [
  { project: 'unit', files: ['test/unit/git/randomBytes'] },
  {
    project: 'integration',
    files: [
      'test/integration/faults/',
      'test/integration/git/changing',
      'test/integration/streams/driftOrders',
      'test/integration/streams/poison',
      'test/integration/manyRepositories',
      'test/integration/importModel',
      'test/integration/integrationModel',
    ],
  },
  { project: 'e2e', files: ['test/e2e/removal', 'test/e2e/wizard'] },
  { project: 'timed', files: ['test/timed/webhooks'] },
];

const filesOf = (path: string): string[] =>
  path.endsWith('/')
    ? readdirSync(join(ROOT, path))
        .filter((name) => name.endsWith(TEST_FILE))
        .toSorted()
        .map((name) => `${path}${name}`)
    : [`${path}${TEST_FILE}`];

/** Every test over seeds. */
const allSuites = (): SoakSuite[] =>
  SUITES.map(({ project, files }) => ({ project, files: files.flatMap(filesOf) }));

/**
 * The tests over seeds whose path holds one of the parts; all of them without any. A part may be a whole path.
 *
 * @throws Error where a part is in no path, with the files that there are.
 */
export function chooseSuites(parts: readonly string[]): SoakSuite[] {
  const all = allSuites();
  if (parts.length === 0) return all;
  const isIn = (file: string, part: string): boolean => file.includes(part) || part.endsWith(`/${file}`);
  for (const part of parts) {
    if (all.some(({ files }) => files.some((file) => isIn(file, part)))) continue;
    const names = all.flatMap(({ files }) => files).map((file) => `\n  ${file}`);
    throw new Error(`No test over seeds has ${part} in its path. There are:${names.join('')}`);
  }
  return all
    .map(({ project, files }) => ({
      project,
      files: files.filter((file) => parts.some((part) => isIn(file, part))),
    }))
    .filter(({ files }) => files.length > 0);
}
