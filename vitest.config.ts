import { defineConfig } from 'vitest/config';

const forks = { pool: 'forks' as const, environment: 'node' as const };

/** Three rooms: `unit` needs no server; `integration` and `e2e` start a Postgres and a Temporal dev server each. */
export default defineConfig({
  test: {
    projects: [
      // Quick; the limit is for a machine that is busy with something else.
      { test: { ...forks, name: 'unit', include: ['test/unit/**/*.test.ts'], testTimeout: 30_000 } },
      {
        test: {
          ...forks,
          name: 'integration',
          include: ['test/integration/**/*.test.ts', 'test/simulator/**/*.test.ts'],
          globalSetup: ['test/support/globalSetup.ts'],
          testTimeout: 60_000,
          hookTimeout: 120_000,
        },
      },
      {
        test: {
          ...forks,
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          globalSetup: ['test/support/globalSetup.ts'],
          testTimeout: 240_000,
          hookTimeout: 180_000,
        },
      },
    ],
  },
});
