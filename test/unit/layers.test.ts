import { execFile } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { reachableFrom } from '../support/importGraph.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

interface Case {
  readonly file: string;
  readonly source: string;
  /** A part of what lint must say; nothing when the file is as it should be. */
  readonly says?: string;
}

const OPEN = "import { open } from '../platform/secrets/open.ts';\nexport const used = open;\n";
const SEAL = "import { seal } from '../platform/secrets/seal.ts';\nexport const used = seal;\n";
const CALL_FETCH = "export const answer = () => fetch('https://api.bitbucket.org');\n";
const READ_ENV = 'export const home = process.env.HOME;\n';
const importing = (specifier: string): string =>
  `import * as it from '${specifier}';\nexport const used = it;\n`;
const importingType = (specifier: string): string =>
  `import type { It } from '${specifier}';\nexport const used = (it: It): It => it;\n`;

const CASES: readonly Case[] = [
  // Only activities/ and worker.ts open secrets.
  { file: 'activities/connection.ts', source: OPEN },
  { file: 'worker.ts', source: importing('./platform/secrets/open.ts') },
  { file: 'api/open.ts', source: OPEN, says: 'can seal a secret and never open one' },
  { file: 'api/routes/open.ts', source: importing('../../platform/secrets/open.ts'), says: 'never open one' },
  { file: 'api/seal.ts', source: SEAL },
  { file: 'db/open.ts', source: OPEN, says: 'Only activities/ and worker.ts open secrets' },
  { file: 'workflows/open.ts', source: OPEN, says: 'nothing that does input or output' },
  {
    file: 'platform/secrets/again.ts',
    source: importing('./open.ts'),
    says: 'Only activities/ and worker.ts',
  },
  { file: 'scripts/open.ts', source: OPEN, says: 'Only activities/ and worker.ts open secrets' },

  // workflows/ import @temporalio/workflow, @temporalio/common, pure modules, and types of activities.
  { file: 'workflows/ids.ts', source: importing('./messages.ts') },
  { file: 'workflows/temporal.ts', source: importing('@temporalio/workflow') },
  { file: 'workflows/common.ts', source: importing('@temporalio/common') },
  { file: 'workflows/types.ts', source: importingType('../activities/index.ts') },
  {
    file: 'workflows/activity.ts',
    source: importing('../activities/index.ts'),
    says: 'activities by type only',
  },
  {
    file: 'workflows/inlineType.ts',
    source: "import { type It, it } from '../activities/index.ts';\nexport const used: It = it;\n",
    says: 'activities by type only',
  },
  { file: 'workflows/node.ts', source: importing('node:fs'), says: 'pure modules of their own' },
  { file: 'workflows/zod.ts', source: importing('zod'), says: 'pure modules of their own' },
  { file: 'workflows/scoped.ts', source: importing('@hono/zod-openapi'), says: 'pure modules of their own' },
  { file: 'workflows/client.ts', source: importing('@temporalio/client'), says: 'pure modules of their own' },
  { file: 'workflows/integration/db.ts', source: importing('../../db/client.ts'), says: 'input or output' },
  { file: 'workflows/integration/ids.ts', source: importing('../ids.ts') },

  // api/ and db/ never import activities/.
  {
    file: 'api/activity.ts',
    source: importing('../activities/index.ts'),
    says: "never does an activity's work",
  },
  {
    file: 'api/activityType.ts',
    source: importingType('../activities/index.ts'),
    says: "an activity's work",
  },
  { file: 'api/worker.ts', source: importing('@temporalio/worker'), says: 'The api is a client of Temporal' },
  { file: 'api/client.ts', source: importing('@temporalio/client') + SEAL.replaceAll('used', 'more') },
  { file: 'db/activity.ts', source: importing('../activities/index.ts'), says: 'neither activities nor api' },
  { file: 'db/queries/api.ts', source: importing('../../api/app.ts'), says: 'neither activities nor api' },
  { file: 'db/schema/words.ts', source: importing('../../workflows/words.ts') },
  {
    file: 'db/schema/ids.ts',
    source: importing('../../workflows/ids.ts'),
    says: 'only the words for states',
  },
  { file: 'activities/api.ts', source: importing('../api/app.ts'), says: 'Activities stand on' },
  { file: 'activities/db.ts', source: importing('../db/client.ts') },
  { file: 'activities/forecast.ts', source: importing('../forecast/requests.ts') },
  { file: 'forecast/words.ts', source: importing('../workflows/words.ts') },
  { file: 'forecast/db.ts', source: importing('../db/client.ts'), says: 'pure arithmetic' },
  { file: 'forecast/temporal.ts', source: importing('@temporalio/workflow'), says: 'pure arithmetic' },
  { file: 'autoImport/other.ts', source: importing('./rules.ts') },
  { file: 'autoImport/db.ts', source: importing('../db/client.ts'), says: 'pure rules' },
  { file: 'autoImport/temporal.ts', source: importing('@temporalio/workflow'), says: 'pure rules' },
  { file: 'forecast/ids.ts', source: importing('../workflows/ids.ts'), says: 'shares only the words' },
  { file: 'worker/status.ts', source: importing('../api/app.ts'), says: 'The worker knows neither api' },
  { file: 'worker/runtime.ts', source: importing('../platform/log.ts') },
  { file: 'worker/fetch.ts', source: CALL_FETCH, says: 'Only activities/bitbucket/ talks to a host' },
  { file: 'platform/db.ts', source: importing('../db/client.ts'), says: 'it stands on nothing' },

  // Within the engine only activities/bitbucket/ calls fetch.
  { file: 'activities/bitbucket/client.ts', source: CALL_FETCH },
  { file: 'activities/discovery.ts', source: CALL_FETCH, says: 'Only activities/bitbucket/ talks to a host' },
  { file: 'api/fetch.ts', source: CALL_FETCH, says: 'Only activities/bitbucket/ talks to a host' },
  { file: 'workflows/fetch.ts', source: CALL_FETCH, says: 'Only activities/bitbucket/ talks to a host' },
  {
    file: 'platform/fetch.ts',
    source: CALL_FETCH.replace('fetch', 'globalThis.fetch'),
    says: 'Only activities/bitbucket/ talks to a host',
  },
  { file: 'simulator/deliver.ts', source: CALL_FETCH },

  // The simulator and the engine share no code.
  { file: 'simulator/rest/words.ts', source: importing('../../workflows/words.ts'), says: 'wrong together' },
  { file: 'simulator/log.ts', source: importing('../platform/log.ts'), says: 'wrong together' },
  { file: 'simulator/rest/user.ts', source: importing('../model/user.ts') },
  // What starts processes is neither's: it stands on Node alone.
  { file: 'simulator/git/start.ts', source: importing('../../launcher/launcher.ts') },
  { file: 'activities/git/start.ts', source: importing('../../launcher/launcher.ts') },
  { file: 'launcher/node.ts', source: importing('node:net') },
  { file: 'launcher/words.ts', source: importing('../workflows/words.ts'), says: 'stands on Node alone' },
  { file: 'launcher/zod.ts', source: importing('zod'), says: 'stands on Node alone' },
  { file: 'activities/sim.ts', source: importing('../simulator/model/user.ts'), says: 'Activities stand on' },
  {
    file: 'api/sim.ts',
    source: importing('../simulator/model/user.ts'),
    says: 'neither simulator nor scripts',
  },
  { file: 'db/sim.ts', source: importing('../simulator/model/user.ts'), says: 'db/ is at the bottom' },

  // One module reads the environment, and nothing in the engine prints.
  { file: 'platform/config.ts', source: READ_ENV },
  { file: 'platform/log.ts', source: READ_ENV, says: 'Only platform/config.ts reads the environment' },
  { file: 'api/env.ts', source: READ_ENV, says: 'Only platform/config.ts reads the environment' },
  {
    file: 'activities/env.ts',
    source: "export const home = process['env']['HOME'];\n",
    says: 'Only platform/config.ts reads the environment',
  },
  {
    file: 'activities/env2.ts',
    source: 'const { env } = process;\nexport const home = env.HOME;\n',
    says: 'Only platform/config.ts reads the environment',
  },
  { file: 'scripts/env.ts', source: READ_ENV },
  { file: 'activities/print.ts', source: "console.log('x');\n", says: 'Unexpected console statement' },
  { file: 'scripts/print.ts', source: "console.log('x');\n" },
];

interface Diagnostic {
  readonly message: string;
  readonly help?: string;
  readonly filename: string;
}

describe('the layer rules of lint', () => {
  let folder: string;
  let diagnostics: Diagnostic[];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'layers-'));
    await cp(join(ROOT, '.oxlintrc.json'), join(folder, '.oxlintrc.json'));
    for (const { file, source } of CASES) {
      await mkdir(join(folder, dirname(file)), { recursive: true });
      await writeFile(join(folder, file), source);
    }
    const oxlint = join(ROOT, 'node_modules', 'oxlint', 'bin', 'oxlint');
    const output = await new Promise<string>((resolve) => {
      // It ends with 1 when it finds something, which is what is wanted here.
      execFile(process.execPath, [oxlint, '--format', 'json'], { cwd: folder }, (_error, stdout) =>
        resolve(stdout),
      );
    });
    ({ diagnostics } = JSON.parse(output) as { diagnostics: Diagnostic[] });
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  const saidOf = (file: string): string[] =>
    diagnostics
      .filter(({ filename }) => filename === file)
      .map(({ message, help }) => `${message} ${help ?? ''}`);

  it.each(CASES.filter(({ says }) => says !== undefined))('refuse $file: $says', ({ file, says }) => {
    expect(saidOf(file)).toEqual(expect.arrayContaining([expect.stringContaining(says!)]));
  });

  it.each(CASES.filter(({ says }) => says === undefined))('allow $file', ({ file }) => {
    expect(saidOf(file)).toEqual([]);
  });
});

/** Our sources below a folder, by their path from the root. */
function sourcesIn(folder: string): string[] {
  if (!existsSync(join(ROOT, folder))) return [];
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => `${folder}/${file}`);
}

/** What lint cannot see: it judges one import at a time, and knows nothing of update handlers. */
describe('the layers of the sources', () => {
  const findings = (entries: readonly string[], forbidden: RegExp): string[] =>
    entries.flatMap((entry) =>
      [...reachableFrom(ROOT, entry)].flatMap(([target, chain]) =>
        forbidden.test(target) ? [chain.join(' → ')] : [],
      ),
    );

  it('never lead from the api to activities, opened secrets, or the code of a workflow', () => {
    // messages.ts is shared with the api and defines signals and updates, so @temporalio/workflow itself is allowed.
    const workflows = [...reachableFrom(ROOT, 'workflows/index.ts').values()]
      .filter((chain) => chain.length === 2)
      .map(([, file]) => file!.replaceAll('.', '\\.'));
    expect(workflows.length).toBeGreaterThan(0);
    const elsewhere = 'activities/|simulator/|platform/secrets/open\\.ts|@temporalio/(worker|activity)';
    const forbidden = new RegExp(`^(${[elsewhere, ...workflows].join('|')})`);
    expect(findings(sourcesIn('api'), forbidden)).toEqual([]);
  });

  it('never lead from workflows out of workflows/', () => {
    expect(findings(sourcesIn('workflows'), /^(?!workflows\/|@temporalio\/(workflow|common)$)/)).toEqual([]);
  });

  it('never lead from the simulator into the engine', () => {
    expect(
      findings(sourcesIn('simulator'), /^(workflows|activities|api|db|platform)\/|^worker\.ts$/),
    ).toEqual([]);
  });

  it('never lead from db/ or platform/ upwards', () => {
    const upwards = /^(activities|api|simulator|scripts)\/|^worker\.ts$/;
    expect(findings([...sourcesIn('db'), ...sourcesIn('platform')], upwards)).toEqual([]);
    expect(findings(sourcesIn('db'), /^@temporalio\/|^platform\/secrets\/open\.ts$/)).toEqual([]);
  });

  it('are followed over several files, through dynamic imports too, but not through types', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'graph-'));
    await mkdir(join(folder, 'api'));
    await writeFile(
      join(folder, 'api/a.ts'),
      "import type { T } from '../t.ts';\nexport * from '../b.ts';\n",
    );
    await writeFile(
      join(folder, 'b.ts'),
      "import {\n  one,\n  two,\n} from './c.ts';\nawait import('./d.ts');\n",
    );
    await writeFile(join(folder, 'c.ts'), "import 'zod';\n");
    const reached = reachableFrom(folder, 'api/a.ts');
    await rm(folder, { recursive: true });
    expect([...reached.keys()].toSorted()).toEqual(['api/a.ts', 'b.ts', 'c.ts', 'd.ts', 'zod']);
    expect(reached.get('zod')).toEqual(['api/a.ts', 'b.ts', 'c.ts', 'zod']);
  });

  /** An update validator that returns a promise never refuses anything: Temporal does not wait for it. */
  const asyncValidator = /\bvalidator\s*:\s*async\b|\basync\s+validator\s*\(|\basync\s+function\s+validate/;

  it('have no asynchronous update validator', async () => {
    const sources = sourcesIn('workflows');
    const guilty = [];
    for (const file of sources) {
      if (asyncValidator.test(await readFile(join(ROOT, file), 'utf8'))) guilty.push(file);
    }
    expect(guilty).toEqual([]);
    expect('setHandler(update, run, { validator: async (input) => {} })').toMatch(asyncValidator);
  });
});
