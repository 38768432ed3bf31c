import { relative } from 'node:path';
import { z } from 'zod';

export interface TestCounts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** one line for each failed test: its file, its name, and the first line of what it says */
  readonly failures: readonly string[];
}

export const NO_TESTS: TestCounts = { passed: 0, failed: 0, skipped: 0, failures: [] };

/** The parts of vitest's JSON report that are counted. */
const report = z.object({
  success: z.boolean(),
  testResults: z.array(
    z.object({
      name: z.string(),
      status: z.string(),
      message: z.string().optional(),
      assertionResults: z.array(
        z.object({
          status: z.string(),
          fullName: z.string(),
          failureMessages: z.array(z.string()).nullish(),
        }),
      ),
    }),
  ),
});

/**
 * Counts the tests of a vitest JSON report. A file that fails without a failed test of its own (it cannot be loaded,
 * a hook threw) counts as one failure, and so does a run that failed with no failure in the report, or left none.
 * @param text the report, or nothing when vitest wrote none
 * @param exitCode how vitest ended
 */
export function countTests(text: string | undefined, exitCode: number): TestCounts {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  const failures: string[] = [];
  const files = text === undefined ? [] : report.parse(JSON.parse(text)).testResults;
  for (const { name, status, message, assertionResults } of files) {
    const failedBefore = counts.failed;
    const fail = (what: string, reason: string | undefined): void => {
      counts.failed += 1;
      failures.push([relative(process.cwd(), name), what, firstLine(reason)].filter(Boolean).join(' > '));
    };
    for (const { status: outcome, fullName, failureMessages } of assertionResults) {
      if (outcome === 'passed') counts.passed += 1;
      else if (outcome === 'failed') fail(fullName, failureMessages?.[0]);
      else counts.skipped += 1;
    }
    if (status === 'failed' && counts.failed === failedBefore) fail('', message);
  }
  if (exitCode !== 0 && counts.failed === 0) counts.failed = 1;
  return { ...counts, failures };
}

const firstLine = (text = ''): string => (text.trim().split('\n', 1)[0] ?? '').slice(0, 300);

/** Adds up the counts of several projects. */
export function addCounts(all: readonly TestCounts[]): TestCounts {
  const sum = (part: 'passed' | 'failed' | 'skipped'): number =>
    all.reduce((total, counts) => total + counts[part], 0);
  return {
    passed: sum('passed'),
    failed: sum('failed'),
    skipped: sum('skipped'),
    failures: all.flatMap(({ failures }) => failures),
  };
}
