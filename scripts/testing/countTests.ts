import { z } from 'zod';

export interface TestCounts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

export const NO_TESTS: TestCounts = { passed: 0, failed: 0, skipped: 0 };

/** The parts of vitest's JSON report that are counted. */
const report = z.object({
  success: z.boolean(),
  testResults: z.array(
    z.object({
      status: z.string(),
      assertionResults: z.array(z.object({ status: z.string() })),
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
  const files = text === undefined ? [] : report.parse(JSON.parse(text)).testResults;
  for (const { status, assertionResults } of files) {
    const failedBefore = counts.failed;
    for (const { status: outcome } of assertionResults) {
      if (outcome === 'passed') counts.passed += 1;
      else if (outcome === 'failed') counts.failed += 1;
      else counts.skipped += 1;
    }
    if (status === 'failed' && counts.failed === failedBefore) counts.failed += 1;
  }
  if (exitCode !== 0 && counts.failed === 0) counts.failed = 1;
  return counts;
}

/** Adds up the counts of several projects. */
export function addCounts(all: readonly TestCounts[]): TestCounts {
  const sum = (part: keyof TestCounts): number => all.reduce((total, counts) => total + counts[part], 0);
  return { passed: sum('passed'), failed: sum('failed'), skipped: sum('skipped') };
}
