import { expect } from 'vitest';
import type { Simulator } from './simulator.ts';
import { waitFor } from './waitFor.ts';

/** Lets the source change by itself, as fast as it can, until it has made so many changes; fails when one could not be made. */
export async function churnToItsEnd(
  { churn }: Pick<Simulator, 'churn'>,
  plan: { seed: number; changes: number; kinds: string[]; repositories: string[] },
  timeoutMs: number,
): Promise<void> {
  churn.start({ rate_per_second: 1_000, ...plan });
  const { error } = await waitFor({
    what: 'the source has changed',
    read: () => churn.report(),
    until: ({ running }) => !running,
    timeoutMs,
  });
  expect(error).toBeNull();
}
