import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { LastRead } from '../../../activities/streams/closing.ts';
import { missingOf, settleStream, type Tally } from '../../../activities/streams/settleStream.ts';
import { addUp } from '../../../workflows/completeness.ts';

const small = fc.nat({ max: 50 });
const counts = (stored: number, expected: number | null = null) => ({
  expected,
  stored,
  quarantined: 0,
  gone: 0,
  notPermitted: 0,
});
const announced = (expected: number, gone = 0): Tally => ({
  kind: 'announced',
  expected,
  gone,
  basis: 'size',
});
const counted = (stored: number, more: Partial<Extract<Tally, { kind: 'counted' }>> = {}): Tally => ({
  kind: 'counted',
  stored,
  gone: 0,
  notPermitted: 0,
  lacking: 0,
  basis: 'comment_count',
  ...more,
});
const leftAt = (rows: number, missing = 0): LastRead => ({
  importId: 'one',
  round: 0,
  firstAnswerAt: null,
  changed: false,
  whole: false,
  rows,
  list: null,
  missing,
});

describe('a list whose length the source announces', () => {
  test('is complete exactly when no row was lost, whatever is gone or in quarantine', () => {
    fc.assert(
      fc.property(small, small, small, small, (kept, gone, quarantined, lost) => {
        const expected = kept + gone + quarantined + lost;
        const end = { tally: announced(expected, gone), rows: kept, whole: true };
        const settled = settleStream(end, { before: counts(0), quarantined, closing: undefined });
        expect(missingOf(settled)).toBe(lost);
        expect(addUp(settled).addsUp).toBe(lost === 0);
        expect(settled).toMatchObject({ stored: kept, quarantined, gone, kept: 0 });
      }),
    );
  });

  test('rows that it does not name any more are no surplus', () => {
    const end = { tally: announced(10), rows: 12, whole: true };
    const settled = settleStream(end, { before: counts(10), quarantined: 1, closing: undefined });
    expect(settled).toMatchObject({ expected: 10, stored: 9, quarantined: 1, kept: 3 });
    expect(addUp(settled).addsUp).toBe(true);
  });

  test('of what changed is held against what was read, not against the table', () => {
    const end = { tally: announced(10), rows: 5_000, whole: false };
    const before = counts(9, 10);
    expect(missingOf(settleStream(end, { before, quarantined: 0, closing: undefined }))).toBe(1);
    expect(missingOf(settleStream(end, { before, quarantined: 1, closing: undefined }))).toBe(0);
  });
});

describe('what no list announces', () => {
  test('is complete exactly when nothing lacks that must be there', () => {
    fc.assert(
      fc.property(small, small, small, small, small, (stored, gone, notPermitted, lacking, quarantined) => {
        const end = { tally: counted(stored, { gone, notPermitted, lacking }), rows: stored, whole: true };
        const settled = settleStream(end, { before: counts(0), quarantined, closing: undefined });
        expect(missingOf(settled)).toBe(lacking);
        expect(settled.expected).toBe(stored + gone + notPermitted + lacking + quarantined);
      }),
    );
  });
});

describe('a closing round of an import of what changed', () => {
  test('adds the rows that came, and what was missing stays missing', () => {
    fc.assert(
      fc.property(small, small, small, small, (stored, missing, came, quarantined) => {
        const rows = 1_000;
        for (const tally of [announced(7), counted(7, { lacking: missing })]) {
          const settled = settleStream(
            { tally, rows: rows + came, whole: false },
            { before: counts(stored, stored + missing), quarantined, closing: leftAt(rows, missing) },
          );
          expect(settled.stored).toBe(stored + came);
          expect(missingOf(settled)).toBe(missing);
          expect(addUp(settled).surplus).toBe(0);
        }
      }),
    );
  });
});
