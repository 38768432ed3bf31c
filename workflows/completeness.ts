/**
 * Whether an import brought in everything (design 6.3): the rule, shared by the activities that decide and by the API
 * that reports.
 */

export interface StreamCounts {
  /** null: not known */
  expected: number | null;
  stored: number;
  quarantined: number;
  gone: number;
  notPermitted: number;
}

export interface Sum {
  /** expected = stored + quarantined + gone + notPermitted; null: `expected` is not known */
  addsUp: boolean | null;
  /** expected records of which nothing is known */
  missing: number;
  /** more records than were expected */
  surplus: number;
}

/** Adds up one stream. A record in quarantine is accounted for: its bytes are kept and it can be tried again. */
export function addUp({ expected, stored, quarantined, gone, notPermitted }: StreamCounts): Sum {
  if (expected === null) return { addsUp: null, missing: 0, surplus: 0 };
  const open = expected - stored - quarantined - gone - notPermitted;
  return { addsUp: open === 0, missing: Math.max(0, open), surplus: Math.max(0, -open) };
}
