/**
 * Seeds for a test that runs over many of them: `inCi` of them unless `npm run test:soak -- --seeds N --seed S` asks for
 * N from S on. A test names the seed in what it says when it fails, so that it can be run again alone.
 */
export function seeds(inCi: number): number[] {
  const count = Number(process.env['SOAK_SEEDS'] ?? inCi);
  const first = Number(process.env['SOAK_SEED'] ?? 1);
  return Array.from({ length: count }, (_, index) => first + index);
}

/**
 * Checks one seed after the other, in a soak run also behind one that fails: each begins from nothing, and all that fail are
 * told. In CI the first failure ends it.
 */
export async function overSeeds(
  list: readonly number[],
  check: (seed: number) => Promise<void>,
): Promise<void> {
  const failures: Error[] = [];
  for (const seed of list) {
    try {
      await check(seed);
    } catch (error) {
      if (!isSoak() || !(error instanceof Error)) throw error;
      const name = `seed ${String(seed)}`;
      if (!error.message.includes(name)) error.message = `${name}: ${error.message}`;
      failures.push(error);
    }
  }
  const [first, ...others] = failures;
  if (first === undefined) return;
  if (others.length > 0)
    first.message = `${String(failures.length)} of ${String(list.length)} seeds failed\n${failures.map(({ message }) => message).join('\n')}`;
  throw first;
}

/** Whether this is a soak run, which may take minutes where CI takes seconds. */
export const isSoak = (): boolean => process.env['SOAK_SEEDS'] !== undefined;

/** When a test over seeds counts as hanging, milliseconds: a soak run has hours, and a slow machine takes thrice as long. */
export const seedsTimeoutMs = (): number => (isSoak() ? 4 * 3_600_000 : 1_800_000);
