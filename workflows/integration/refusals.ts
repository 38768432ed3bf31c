import type { IntegrationTiming } from '../messages.ts';

const REFUSALS_NEEDED = 3;

/**
 * Adds a refusal of the credential. Those of many runs at the same moment count as one: what tells is time.
 * Times are ISO, oldest first.
 */
export function withRefusal(refusals: readonly string[], at: string, timing: IntegrationTiming): string[] {
  const last = refusals.at(-1);
  if (last !== undefined && Date.parse(at) - Date.parse(last) < timing.probeEveryMs / 2) return [...refusals];
  const next = [...refusals, at];
  // the first one and the newest few are all that counts
  return next.length > 10 ? [...next.slice(0, 1), ...next.slice(-9)] : next;
}

/** Three refusals over at least `confirmMs`: the credential is dead, and it is no brownout (facts: those last 15 minutes). */
export function isConfirmed(refusals: readonly string[], timing: IntegrationTiming): boolean {
  const first = refusals.at(0);
  const last = refusals.at(-1);
  return (
    first !== undefined &&
    last !== undefined &&
    refusals.length >= REFUSALS_NEEDED &&
    Date.parse(last) - Date.parse(first) >= timing.confirmMs
  );
}
