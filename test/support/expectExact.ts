import { expect } from 'vitest';
import { describeDifferences } from '../../scripts/oracle/compare.ts';
import type { Stack } from './stack.ts';

/** Fails unless Postgres holds exactly what the source has, and that is something; gives what was compared. */
export async function expectExact(stack: Pick<Stack, 'verify'>): ReturnType<Stack['verify']> {
  const found = await stack.verify();
  expect(found.examples.join('\n')).toBe('');
  expect(describeDifferences(found)).toBe('lost=0 extra=0 stale=0 duplicated=0 corrupted=0');
  expect(found.records).toBeGreaterThan(0);
  return found;
}
