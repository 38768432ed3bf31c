/** `npm run test:soak`: the tests that run over seeds, over many more of them than CI has time for. */
import { execFileSync, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { chooseSuites } from './testing/soakSuites.ts';

const HELP = `Runs the tests that go over seeds, over many.

  npm run test:soak -- [--seeds N] [--seed S] [FILE …]

N seeds (1000) from S (1) on, for each test; FILE narrows it to files whose path holds it. A failure names its seed:
run that one alone with --seeds 1 --seed S (a model prints a seed of its own). n runs without a failure bound its rate by 3/n at 95 %.
`;

const BIN = fileURLToPath(new URL('../node_modules/.bin/vitest', import.meta.url));

function wholeNumber(name: string, text: string): number {
  const number = Number(text);
  if (!Number.isSafeInteger(number) || number < 1)
    throw new Error(`--${name} takes a whole number from 1 on.`);
  return number;
}

/** The commit that is tested, for whoever reads the log later. */
function commitName(): string {
  try {
    return execFileSync('git', ['describe', '--always', '--dirty'], { encoding: 'utf8' }).trim();
  } catch {
    return 'unknown (no git checkout)';
  }
}

const run = (args: readonly string[], env: NodeJS.ProcessEnv): Promise<number> =>
  new Promise((resolve, reject) => {
    const child = spawn(BIN, args, { stdio: 'inherit', env });
    child.on('error', reject);
    child.on('close', (code) => resolve(code ?? 1));
  });

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    options: {
      help: { type: 'boolean', default: false },
      seeds: { type: 'string', default: '1000' },
      seed: { type: 'string', default: '1' },
    },
    allowPositionals: true,
  });
  if (values.help) return void process.stdout.write(HELP);
  const count = wholeNumber('seeds', values.seeds);
  const first = wholeNumber('seed', values.seed);
  const suites = chooseSuites(positionals);
  process.stdout.write(`seeds ${first} to ${first + count - 1}, commit ${commitName()}\n`);
  const env = {
    // A model takes seconds a run.
    MODEL_RUNS: String(Math.ceil(count / 10)),
    ...process.env,
    SOAK_SEEDS: String(count),
    SOAK_SEED: String(first),
  };
  let failed = false;
  for (const { project, files } of suites) {
    failed = (await run(['run', '--project', project, ...files], env)) !== 0 || failed;
  }
  process.stdout.write(`${failed ? 'failed' : 'passed'}: seeds ${first} to ${first + count - 1}\n`);
  process.exitCode = failed ? 1 : 0;
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
