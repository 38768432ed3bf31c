import { addUp } from '../../workflows/completeness.ts';
import type { StreamCounts } from '../../workflows/words.ts';
import type { LastRead } from './closing.ts';

/**
 * What a stream can say at its end of what there was to read:
 * `announced`: the source said how many records there are, and how many of them went meanwhile (its list grew shorter);
 * `counted`: it says nowhere how many; known is what was read, and what must be there beside that and is not
 * (`lacking`), with what the source itself does not give taken out.
 */
export type Tally =
  | { kind: 'announced'; expected: number; gone: number; basis: string }
  | {
      kind: 'counted';
      stored: number;
      gone: number;
      notPermitted: number;
      lacking: number;
      basis: string;
    };

export interface StreamEnd {
  tally: Tally;
  /** rows of the stream's table now */
  rows: number;
  /** the tally is of the whole table, not of what changed */
  whole: boolean;
}

export interface Settled extends StreamCounts {
  expected: number;
  /** rows that the source does not list any more, or lists in a newer version that is in quarantine */
  kept: number;
}

/**
 * The final counts of a stream in an import. `before`: as counted page by page; `quarantined`: records that this import
 * left in quarantine; `closing`: a closing round, and how the import left the stream before it.
 *
 * Stored is what the table holds, where everything was read, so a page that was lost shows. A record in quarantine counts
 * there even if an older version of it is stored. A closing round of an import of what changed adds the rows that came to
 * the table; what was missing before it stays missing.
 */
export function settleStream(
  end: StreamEnd,
  {
    before,
    quarantined,
    closing,
  }: { before: StreamCounts; quarantined: number; closing: LastRead | undefined },
): Settled {
  const { tally, rows, whole } = end;
  const adds = closing !== undefined && !whole;
  const came = closing === undefined ? 0 : Math.max(0, rows - closing.rows);
  if (tally.kind === 'counted') {
    const { gone, notPermitted, lacking } = tally;
    const stored = adds ? before.stored + came : tally.stored;
    return accounted({ stored, quarantined, gone, notPermitted }, lacking);
  }
  const { expected, gone } = tally;
  if (adds) {
    return accounted({ stored: before.stored + came, quarantined, gone, notPermitted: 0 }, closing.missing);
  }
  const found = whole ? rows : before.stored;
  const stored = Math.min(found, Math.max(0, expected - gone - quarantined));
  return {
    // One that was stored and counted earlier, and is shown again, may be in quarantine now.
    expected: Math.max(expected, gone + quarantined),
    stored,
    quarantined,
    gone,
    notPermitted: 0,
    kept: whole ? found - stored : 0,
  };
}

const accounted = (counts: Omit<StreamCounts, 'expected'>, missing: number): Settled => ({
  ...counts,
  expected: counts.stored + counts.quarantined + counts.gone + counts.notPermitted + missing,
  kept: 0,
});

/** How many records are missing; 0: the stream adds up. */
export const missingOf = (settled: Settled): number => addUp(settled).missing;
