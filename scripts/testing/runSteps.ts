import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { getPriority, setPriority } from 'node:os';
import { join } from 'node:path';
import { addCounts, countTests, NO_TESTS, type TestCounts } from './countTests.ts';

/** One thing that `npm test` does. A step with `project` is a vitest run, whose tests are counted. */
export interface Step {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly project?: string;
  /** How far it stands back behind what runs beside it, 0 to 19 as of nice(1). */
  readonly nice?: number;
  /** What it needs in its environment besides; asked for when the step's turn comes. */
  readonly environment?: () => Promise<Readonly<Record<string, string>>>;
}

export interface StepRunner {
  /** Those of an inner list run at once; what the first of them prints is shown as it comes, of the others at their end. */
  readonly steps: readonly (Step | readonly Step[])[];
  /** An empty folder for vitest's reports. */
  readonly reports: string;
  readonly print: (text: string) => void;
}

interface Ran {
  readonly exitCode: number;
  readonly counts: TestCounts;
}

/** Runs a program, and hands on what it prints as it comes. */
async function run(
  { command, args, nice, environment }: Step,
  print: (text: string) => void,
): Promise<number> {
  // Piped, a program takes its output for a file's and leaves out the colours.
  const colours = process.stdout.isTTY ? { FORCE_COLOR: '1' } : {};
  let given: Readonly<Record<string, string>> | undefined;
  try {
    given = await environment?.();
  } catch (error) {
    print(`${error instanceof Error ? error.stack : String(error)}\n`);
    return 1;
  }
  const env = { ...process.env, ...colours, ...given };
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], env });
    // What it starts inherits it.
    if (nice !== undefined && child.pid !== undefined) setPriority(child.pid, Math.max(nice, getPriority()));
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
  const counts = countTests(text, exitCode);
  // A report may name none: vitest left no report, or what failed was no test.
  const isNamed = counts.failed === 0 || counts.failures.length > 0;
  return { exitCode, counts: isNamed ? counts : { ...counts, failures: [step.name] } };
}

/** A check is of interest only when it fails. */
async function runCheck(step: Step, { print }: StepRunner): Promise<Ran> {
  let output = '';
  const exitCode = await run(step, (text) => {
    output += text;
  });
  if (exitCode !== 0) print(`${output.trimEnd()}\n`);
  return { exitCode, counts: exitCode === 0 ? NO_TESTS : { ...NO_TESTS, failed: 1, failures: [step.name] } };
}

/** Collects what is printed; `show` prints it. */
function held(print: (text: string) => void) {
  let text = '';
  return {
    print: (more: string): void => void (text += more),
    show: (): void => print(text),
  };
}

/**
 * Runs the steps in order and stops behind the first that fails, after showing what it said. Ends with a line for each test
 * that failed, and behind them `N passed, N failed, N skipped`, over all tests that were run; a failed step that has no tests
 * counts as one failure, so that "0 failed" is never said of a run that failed.
 * @returns whether everything passed
 */
export async function runSteps(runner: StepRunner): Promise<boolean> {
  const { print } = runner;
  const groups = runner.steps.map((one): readonly Step[] => ('name' in one ? [one] : one));
  const all = groups.flat();
  const counts: TestCounts[] = [];
  const startedAll = Date.now();

  async function runStep(step: Step, to: StepRunner['print']): Promise<boolean> {
    const label = `[${all.indexOf(step) + 1}/${all.length}] ${step.name}`;
    const started = Date.now();
    const { project } = step;
    const own = { ...runner, print: to };
    const ran = await (project === undefined ? runCheck(step, own) : runTests(step, project, own));
    counts.push(ran.counts);
    const failed = ran.exitCode !== 0 || ran.counts.failed > 0;
    to(`${label}: ${failed ? 'FAILED' : 'ok'} (${((Date.now() - started) / 1000).toFixed(1)} s)\n`);
    return !failed;
  }

  let passedSoFar = true;
  let begun = 0;
  for (const group of groups) {
    for (const step of group) {
      begun += 1;
      print(`[${begun}/${all.length}] ${step.name} …\n`);
    }
    const passed = await Promise.all(
      group.map(async (step, index) => {
        if (index === 0) return runStep(step, print);
        const output = held(print);
        const stepPassed = await runStep(step, output.print);
        output.show();
        return stepPassed;
      }),
    );
    passedSoFar = passed.every(Boolean);
    if (!passedSoFar) break;
  }
  const notRun = all.slice(begun).map(({ name }) => name);
  if (notRun.length > 0) print(`not run: ${notRun.join(', ')}\n`);
  const { passed, failed, skipped, failures } = addCounts(counts);
  print(`all steps together: ${((Date.now() - startedAll) / 1000).toFixed(0)} s\n`);
  // What a log shows of a run that failed is often its end alone.
  for (const failure of failures) print(`failed: ${failure}\n`);
  print(`${passed} passed, ${failed} failed, ${skipped} skipped\n`);
  return passedSoFar;
}
