/**
 * Seeds for a test that runs over many of them: `inCi` of them unless `npm run test:soak -- --seeds N --seed S` asks for
 * N from S on. A test names the seed in what it says when it fails, so that it can be run again alone.
 */
export function seeds(inCi: number): number[] {
  const count = Number(process.env['SOAK_SEEDS'] ?? inCi);
  const first = Number(process.env['SOAK_SEED'] ?? 1);
  return Array.from({ length: count }, (_, index) => first + index);
}

/** Whether this is a soak run, which may take minutes where CI takes seconds. */
export const isSoak = (): boolean => process.env['SOAK_SEEDS'] !== undefined;

/** For a test over seeds, milliseconds: a soak run has hours. */
export const seedsTimeoutMs = (): number => (isSoak() ? 4 * 3_600_000 : 240_000);
