import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/**
 * Room for young objects, and for garbage before the whole heap is looked through (docs/decisions/room-for-buffers.md): a
 * tenth less processor time over tests of imports, streams and syncs.
 */
const forks = {
  pool: 'forks' as const,
  environment: 'node' as const,
  execArgv: ['--max-semi-space-size=64', '--initial-old-space-size=1024'],
};

/** Short files whose tests take long. Vitest begins with the largest files, so these would be left to the end, alone. */
const LONG = /e2e\/start\.test|integration\/api\/contract\.test/;

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    // oxlint-disable-next-line unicorn/no-array-sort -- vitest's own, not an array's
    const sorted = await super.sort(files);
    const isLong = ({ moduleId }: TestSpecification): boolean => LONG.test(moduleId);
    return [...sorted.filter(isLong), ...sorted.filter((file) => !isLong(file))];
  }
}

/** They mostly wait for servers and timers, so several files at once shorten the whole, also on two cores. */
const atOnce = (maxWorkers: number) => ({ maxWorkers });

/**
 * Four rooms: `unit` needs no server; the others start a Postgres and a Temporal dev server each. `timed` holds what is
 * promised within a number of seconds: one file at a time, so that no neighbour takes them.
 */
export default defineConfig({
  test: {
    sequence: { sequencer: LongestFirst },
    projects: [
      // Quick; the limit is for a machine that is busy with something else.
      // Nothing of them outlives a file, so files share two processes: starting one for each took longer than the tests.
      {
        test: {
          ...forks,
          ...atOnce(2),
          isolate: false,
          name: 'unit',
          include: ['test/unit/**/*.test.ts'],
          testTimeout: 60_000,
        },
      },
      {
        test: {
          ...forks,
          // Three keep two cores busy; a fourth would load and compile everything once more.
          ...atOnce(3),
          // Starting a process for each file takes longer than most of them; each has a database of its own.
          isolate: false,
          name: 'integration',
          include: ['test/integration/**/*.test.ts', 'test/simulator/**/*.test.ts'],
          globalSetup: ['test/support/globalSetup.ts'],
          // Limits for what hangs; what is promised within a time stands in `timed`.
          testTimeout: 180_000,
          hookTimeout: 180_000,
        },
      },
      {
        test: {
          ...forks,
          // A fourth stack has been seen to keep a server from answering the api in time.
          ...atOnce(3),
          isolate: false,
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          globalSetup: ['test/support/globalSetup.ts'],
          testTimeout: 240_000,
          hookTimeout: 180_000,
        },
      },
      {
        test: {
          ...forks,
          name: 'timed',
          include: ['test/timed/**/*.test.ts'],
          globalSetup: ['test/support/globalSetup.ts'],
          fileParallelism: false,
          testTimeout: 240_000,
          hookTimeout: 180_000,
        },
      },
    ],
  },
});
