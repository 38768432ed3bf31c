import fc from 'fast-check';
import { expect, test } from 'vitest';
import { addUp } from '../../../workflows/completeness.ts';

const count = fc.nat({ max: 1_000_000 });
const accounted = fc.record({ stored: count, quarantined: count, gone: count, notPermitted: count });

const sum = (counts: { stored: number; quarantined: number; gone: number; notPermitted: number }): number =>
  counts.stored + counts.quarantined + counts.gone + counts.notPermitted;

test('a stream adds up exactly when every expected record is accounted for once', () => {
  fc.assert(
    fc.property(accounted, fc.integer({ min: -1_000, max: 1_000 }), (counts, off) => {
      const expected = Math.max(0, sum(counts) + off);
      const { addsUp, missing, surplus } = addUp({ ...counts, expected });
      expect(addsUp).toBe(expected === sum(counts));
      expect(sum(counts) + missing - surplus).toBe(expected);
      expect(missing === 0 || surplus === 0).toBe(true);
    }),
  );
});

test('moving a record between stored, quarantine and gone changes nothing, losing one does', () => {
  const counts = { expected: 10, stored: 7, quarantined: 1, gone: 1, notPermitted: 1 };
  expect(addUp(counts)).toEqual({ addsUp: true, missing: 0, surplus: 0 });
  expect(addUp({ ...counts, stored: 8, quarantined: 0 })).toEqual({ addsUp: true, missing: 0, surplus: 0 });
  expect(addUp({ ...counts, stored: 6 })).toEqual({ addsUp: false, missing: 1, surplus: 0 });
  expect(addUp({ ...counts, stored: 9 })).toEqual({ addsUp: false, missing: 0, surplus: 2 });
});

test('what is not known is not called complete', () => {
  fc.assert(
    fc.property(accounted, (counts) => {
      expect(addUp({ ...counts, expected: null }).addsUp).toBeNull();
    }),
  );
});
