import { ESTIMATE_BASES, type EstimateBasis } from '../workflows/words.ts';

/** A number that is not known exactly: a best guess between bounds in which it should lie, and how it is known. */
export interface Range {
  low: number;
  expected: number;
  high: number;
  basis: EstimateBasis;
}

export const exactly = (value: number, basis: EstimateBasis = 'counted'): Range => ({
  low: value,
  expected: value,
  high: value,
  basis,
});

/** Of several ways by which numbers are known the least sure one. */
export function leastSure(bases: readonly EstimateBasis[]): EstimateBasis {
  return ESTIMATE_BASES[Math.max(0, ...bases.map((basis) => ESTIMATE_BASES.indexOf(basis)))] ?? 'counted';
}

const orderly = ({ low, expected, high, basis }: Range): Range => ({
  low: Math.max(0, Math.min(low, expected)),
  expected: Math.max(0, expected),
  high: Math.max(high, expected, 0),
  basis,
});

/**
 * The sum of numbers that are unsure independently of each other, as repositories are: their errors add up like the
 * sides of a right-angled triangle, not end to end.
 */
export function sum(ranges: readonly Range[]): Range {
  const expected = ranges.reduce((total, range) => total + range.expected, 0);
  const below = Math.hypot(...ranges.map((range) => range.expected - range.low));
  const above = Math.hypot(...ranges.map((range) => range.high - range.expected));
  const basis = leastSure(ranges.map((range) => range.basis));
  return orderly({ low: expected - below, expected, high: expected + above, basis });
}

export const scale = (range: Range, factor: number): Range => ({
  low: range.low * factor,
  expected: range.expected * factor,
  high: range.high * factor,
  basis: range.basis,
});

/** The same in whole numbers; the bounds are rounded outwards. */
export const rounded = (range: Range): Range => ({
  low: Math.floor(range.low),
  expected: Math.round(range.expected),
  high: Math.ceil(range.high),
  basis: range.basis,
});

/**
 * What the import itself knows by now makes a range narrower: at least what is stored will be there; a count of the
 * source, or the end of the stream, settles it.
 */
export function sharpen(
  range: Range,
  known: { stored: number; total?: number | null; ended: boolean },
): Range {
  if (known.ended) return exactly(known.stored);
  if (known.total !== undefined && known.total !== null) {
    return exactly(Math.max(known.total, known.stored), 'listed');
  }
  const expected = Math.max(range.expected, known.stored);
  return { ...range, low: Math.max(range.low, known.stored), expected, high: Math.max(range.high, expected) };
}
