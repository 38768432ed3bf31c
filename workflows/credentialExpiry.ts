import type { Finding } from './words.ts';

/** So many days before a credential ends, where its end is known, its people are told: once each. */
export const WARN_DAYS: readonly number[] = [30, 7, 1];

const DAY_MS = 24 * 60 * 60_000;

/** The warning for a credential that ends on this ISO date or time; null: there is time enough, or no end is known. */
export function expiryWarning(expiresOn: string | null, nowMs: number): Finding | null {
  if (expiresOn === null) return null;
  const leftMs = Date.parse(expiresOn) - nowMs;
  if (leftMs > Math.max(...WARN_DAYS) * DAY_MS) return null;
  const day = expiresOn.slice(0, 10);
  const details = { expires_on: expiresOn };
  if (leftMs <= 0) {
    return {
      code: 'credential_expired',
      message: `The credential ended on ${day}.`,
      remedy: 'Create its successor and submit it: the integration goes on from its checkpoints.',
      details,
    };
  }
  const days = Math.ceil(leftMs / DAY_MS);
  return {
    code: 'credential_expiring',
    message: `The credential ends on ${day}, in ${days === 1 ? 'a day' : `${days} days`}.`,
    remedy: 'Create its successor in time and submit it: the integration goes on without a break.',
    details: { ...details, days },
  };
}
