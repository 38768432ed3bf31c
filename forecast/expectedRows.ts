import type { Stream } from '../workflows/words.ts';
import { USUAL_ENTRIES } from './activity.ts';
import { estimateCommits, MERGED_OF_CLOSED } from './commits.ts';
import { exactly, type Range, rounded, sharpen, sum } from './range.ts';

/** Streams whose rows Bitbucket announces nowhere: what is expected of them is a range until they have ended. */
export const UNANNOUNCED = ['commits', 'pull_request_activity'] as const satisfies readonly Stream[];

const isUnannounced = (stream: Stream): boolean => UNANNOUNCED.some((name) => name === stream);

/** What is known of the rows of an unannounced stream that has not ended, beside what is stored. */
export interface KnownOfRows {
  /** of the repository, from the newest dry run that came before the import; null: there is none, or it is removed */
  estimate: Range | null;
  /** what the walk in hand has ahead of it; null: it has not begun, or does not say */
  ahead: { low: number; expected: number; high: number } | null;
  /** pull requests, as many as their list says or has shown; null: it has not begun */
  listed: number | null;
  /** size of the repository; null: the host does not say */
  bytes: number | null;
  /** everything is read, not only what changed */
  whole: boolean;
}

export interface RowsOfStream {
  stream: Stream;
  stored: number;
  /** counted by the source itself: of commits, by git once it has fetched; null: not known */
  total: number | null;
  /** null: it has ended */
  known: KnownOfRows | null;
}

/**
 * How many rows a stream stores in all, by the best that is known: the count; where the walk stands; the dry run; the list
 * of pull requests and the repository's size, in the way of the dry run. null: it is announced, or nothing tells yet.
 */
export function expectedRows({ stream, stored, total, known }: RowsOfStream): Range | null {
  if (!isUnannounced(stream)) return null;
  if (known === null) return exactly(stored);
  const range = total === null ? guess(stream, stored, known) : exactly(total, 'listed');
  return range === null ? null : rounded(sharpen(range, { stored, total, ended: false }));
}

function guess(stream: Stream, stored: number, known: KnownOfRows): Range | null {
  const { estimate, ahead } = known;
  if (ahead !== null) {
    const { low, expected, high } = ahead;
    return { low: stored + low, expected: stored + expected, high: stored + high, basis: 'pull_requests' };
  }
  if (estimate !== null) return estimate;
  return stream === 'commits' ? guessCommits(known) : guessActivity(known);
}

function guessCommits({ listed, bytes, whole }: KnownOfRows): Range | null {
  const sizeBytes = whole ? bytes : null;
  // Only the number of pull requests is at hand: most have been closed.
  const range = estimateCommits({ sizeBytes, merged: MERGED_OF_CLOSED * (listed ?? 0), known: null });
  return range.high === 0 ? null : range;
}

/** A pull request has an entry at least; so many times the usual number where most of them are long discussions. */
const MANY_TIMES = 3;

function guessActivity({ listed, whole }: KnownOfRows): Range | null {
  if (listed === null) return null;
  const expected = listed * (whole ? USUAL_ENTRIES : 1);
  return { low: listed, expected, high: MANY_TIMES * listed * USUAL_ENTRIES, basis: 'pull_requests' };
}

/** One stream over all repositories of an import. */
export interface RowsOfImport {
  stream: Stream;
  /** stored in all */
  stored: number;
  /** repositories that have the stream and have begun, the ended ones among them */
  begun: number;
  /** the stream in each repository where it has not ended */
  open: readonly RowsOfStream[];
  /** repositories that have not begun */
  pending: number;
  /** a dry run of the same choice that came before the import; null: there is none, or it is removed */
  estimate: Range | null;
}

/**
 * The same over a whole import. Of repositories that nothing is known of yet the dry run speaks; without one they are
 * taken to be like those that have begun, and may hold nothing, or three times as much. null: nothing tells yet.
 */
export function expectedOfImport(rows: RowsOfImport): Range | null {
  const { stream, stored, begun, open, pending, estimate } = rows;
  if (!isUnannounced(stream)) return null;
  const ranges = open.map(expectedRows).filter((range) => range !== null);
  const unknown = open.filter((one) => expectedRows(one) === null);
  const openStored = open.reduce((total, one) => total + one.stored, 0);
  const unknownStored = unknown.reduce((total, one) => total + one.stored, 0);
  const settled = exactly(Math.max(0, stored - openStored) + unknownStored);
  const known = sum([settled, ...ranges]);
  const unlike = pending + unknown.length;
  if (unlike === 0) return rounded(known);
  if (estimate !== null) return rounded(atLeast(estimate, known));
  const alike = begun - unknown.length;
  if (alike <= 0) return null;
  return rounded({
    low: known.low,
    expected: (known.expected * (alike + unlike)) / alike,
    high: (known.high * (alike + MANY_TIMES * unlike)) / alike,
    basis: 'sampled_repositories',
  });
}

/** Of all there will not be fewer than of those that are known. */
const atLeast = (all: Range, part: Range): Range => {
  const expected = Math.max(all.expected, part.expected);
  return {
    ...all,
    low: Math.max(all.low, part.low),
    expected,
    high: Math.max(all.high, part.high, expected),
  };
};
