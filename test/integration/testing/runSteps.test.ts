import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { getPriority, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { countTests } from '../../../scripts/testing/countTests.ts';
import { runSteps, type Step, type StepRunner } from '../../../scripts/testing/runSteps.ts';

const VITEST = fileURLToPath(new URL('../../../node_modules/.bin/vitest', import.meta.url));

describe('npm test', () => {
  let folder: string;
  let printed: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'run-steps-'));
    printed = '';
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const shell = (name: string, script: string): Step => ({ name, command: '/bin/sh', args: ['-c', script] });
  const run = (steps: StepRunner['steps']): Promise<boolean> =>
    runSteps({ steps, reports: folder, print: (text) => void (printed += text) });

  /** A vitest project of its own with one test file. */
  async function project(name: string, source: string): Promise<Step> {
    await writeFile(join(folder, `${name}.test.ts`), source);
    await writeFile(join(folder, 'vitest.config.mjs'), 'export default { test: { globals: true } };');
    return { name, command: VITEST, args: ['run', '--root', folder, `${name}.test.ts`], project: name };
  }

  const lastLine = (): string | undefined => printed.trimEnd().split('\n').at(-1);

  it('stops at the first step that fails, shows what it said, and never says "0 failed" of it', async () => {
    const steps = [
      shell('good', 'echo unseen'),
      shell('bad', 'echo the reason >&2; exit 3'),
      shell('later', 'true'),
    ];
    expect(await run(steps)).toBe(false);
    expect(printed).not.toContain('unseen');
    expect(printed).toMatch(
      /good: ok \(\d\.\d s\)\n\[2\/3\] bad …\nthe reason\n\[2\/3\] bad: FAILED .*\nnot run: later\n/,
    );
    expect(lastLine()).toBe('0 passed, 1 failed, 0 skipped');
  });

  it('starts a step with what it needs in its environment; where that cannot be had it says why, and fails', async () => {
    const asks = (name: string, environment: NonNullable<Step['environment']>): Step => ({
      ...shell(name, 'echo "has $WANTED"; exit 3'),
      environment,
    });
    expect(await run([asks('one', async () => ({ WANTED: 'a server' }))])).toBe(false);
    expect(printed).toContain('has a server\n');
    const none = Promise.reject(new Error('no server today'));
    none.catch(() => {});
    expect(await run([asks('two', () => none)])).toBe(false);
    expect(printed).toContain('no server today');
    expect(printed).not.toContain('has \n');
    expect(lastLine()).toBe('0 passed, 1 failed, 0 skipped');
  });

  it('runs the steps of an inner list at once, each with its own priority, and shows whole what each said', async () => {
    const mark = join(folder, 'mark');
    // Each ends only when the other runs.
    const meet = `touch ${mark}-$0; while [ ! -e ${mark}-$1 ]; do sleep 0.01; done; echo "$0 at $(nice)"; exit 3`;
    const sides: Step[] = [
      { name: 'one', command: '/bin/sh', args: ['-c', meet, 'one', 'two'], nice: 15 },
      { name: 'two', command: '/bin/sh', args: ['-c', meet, 'two', 'one'] },
    ];
    expect(await run([sides, shell('later', 'true')])).toBe(false);
    expect(printed).toContain('[1/3] one …\n[2/3] two …\n');
    expect(printed).toMatch(/^one at 15\n\[1\/3\] one: FAILED/m);
    // these tests may themselves stand back
    expect(printed).toMatch(new RegExp(`^two at ${getPriority()}\n\\[2/3\\] two: FAILED`, 'm'));
    expect(printed).toContain('not run: later\n');
    expect(lastLine()).toBe('0 passed, 2 failed, 0 skipped');
  });

  it('sums the tests of all projects in its last line', async () => {
    const one = await project(
      'one',
      "it('a', () => {}); it('b', () => {}); it.skip('c', () => {}); it.todo('d');",
    );
    const two = await project('two', "it('e', () => {});");
    expect(await run([one, two])).toBe(true);
    expect(lastLine()).toBe('3 passed, 0 failed, 2 skipped');
  });

  it('counts failed tests, and files that fail as a whole', async () => {
    const one = await project('one', "it('a', () => {}); it('b', () => { expect(1).toBe(2); });");
    expect(await run([one])).toBe(false);
    expect(lastLine()).toBe('1 passed, 1 failed, 0 skipped');
    const named = /^failed: .*one\.test\.ts > b > AssertionError: expected 1 to be 2/;
    expect(printed.trimEnd().split('\n').at(-2)).toMatch(named);

    const broken = await project('broken', "throw new Error('cannot be loaded');");
    expect(await run([broken])).toBe(false);
    expect(lastLine()).toBe('0 passed, 1 failed, 0 skipped');
    expect(printed).toMatch(/^failed: .*broken\.test\.ts > .*cannot be loaded/m);
  });

  it('counts a run without a report as a failure', () => {
    expect(countTests(undefined, 1)).toEqual({ passed: 0, failed: 1, skipped: 0, failures: [] });
  });

  it('counts an error outside of all tests as a failure', () => {
    const report = {
      success: false,
      testResults: [
        { name: 'x.test.ts', status: 'passed', assertionResults: [{ status: 'passed', fullName: 'x' }] },
      ],
    };
    expect(countTests(JSON.stringify(report), 1)).toEqual({ passed: 1, failed: 1, skipped: 0, failures: [] });
  });
});
