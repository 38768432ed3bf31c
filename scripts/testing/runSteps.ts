import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { addCounts, countTests, NO_TESTS, type TestCounts } from './countTests.ts';

/** One thing that `npm test` does. A step with `project` is a vitest run, whose tests are counted. */
export interface Step {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly project?: string;
}

export interface StepRunner {
  readonly steps: readonly Step[];
  /** An empty folder for vitest's reports. */
  readonly reports: string;
  readonly print: (text: string) => void;
}

interface Ran {
  readonly exitCode: number;
  readonly counts: TestCounts;
}

/** Runs a program, and hands on what it prints as it comes. */
function run({ command, args }: Step, print: (text: string) => void): Promise<number> {
  // Piped, a program takes its output for a file's and leaves out the colours.
  const env = process.stdout.isTTY ? { ...process.env, FORCE_COLOR: '1' } : process.env;
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], env });
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', print);
    }
    child.on('error', reject);
    child.on('close', (code) => resolve(code ?? 1));
  });
}

async function runTests(step: Step, project: string, { reports, print }: StepRunner): Promise<Ran> {
  const file = join(reports, `${project}.json`);
  const args = [...step.args, '--reporter=default', '--reporter=json', `--outputFile.json=${file}`];
  const exitCode = await run({ ...step, args }, print);
  const text = await readFile(file, 'utf8').catch(() => undefined);
  return { exitCode, counts: countTests(text, exitCode) };
}

/** A check is of interest only when it fails. */
async function runCheck(step: Step, { print }: StepRunner): Promise<Ran> {
  let output = '';
  const exitCode = await run(step, (text) => {
    output += text;
  });
  if (exitCode !== 0) print(`${output.trimEnd()}\n`);
  return { exitCode, counts: exitCode === 0 ? NO_TESTS : { ...NO_TESTS, failed: 1 } };
}

/**
 * Runs the steps in order and stops at the first that fails, after showing what it said. Ends with a line of its own,
 * `N passed, N failed, N skipped`, over all tests that were run; a failed step that has no tests counts as one failure,
 * so that "0 failed" is never said of a run that failed.
 * @returns whether everything passed
 */
export async function runSteps(runner: StepRunner): Promise<boolean> {
  const { steps, print } = runner;
  const counts: TestCounts[] = [];
  const startedAll = Date.now();
  let failedAt: number | undefined;
  for (const [index, step] of steps.entries()) {
    const label = `[${index + 1}/${steps.length}] ${step.name}`;
    const started = Date.now();
    print(`${label} …\n`);
    const { project } = step;
    const ran = await (project === undefined ? runCheck(step, runner) : runTests(step, project, runner));
    counts.push(ran.counts);
    const failed = ran.exitCode !== 0 || ran.counts.failed > 0;
    print(`${label}: ${failed ? 'FAILED' : 'ok'} (${((Date.now() - started) / 1000).toFixed(1)} s)\n`);
    if (failed) {
      failedAt = index;
      break;
    }
  }
  const notRun = failedAt === undefined ? [] : steps.slice(failedAt + 1).map(({ name }) => name);
  if (notRun.length > 0) print(`not run: ${notRun.join(', ')}\n`);
  const { passed, failed, skipped } = addCounts(counts);
  print(`all steps together: ${((Date.now() - startedAll) / 1000).toFixed(0)} s\n`);
  print(`${passed} passed, ${failed} failed, ${skipped} skipped\n`);
  return failedAt === undefined;
}
