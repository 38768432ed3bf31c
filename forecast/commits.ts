import type { Range } from './range.ts';

/** Bytes of a repository for each of its commits: the 10th, the 50th and the 90th of a hundred imported ones. */
export interface KnownDensity {
  fewBytes: number;
  bytes: number;
  manyBytes: number;
}

/**
 * Without any known: packed text takes some hundred bytes a commit; binaries and generated files make it many times as
 * much.
 */
const ANY_REPOSITORY: KnownDensity = { fewBytes: 250, bytes: 4_000, manyBytes: 60_000 };

/** Of the pull requests that were closed so many were merged. */
export const MERGED_OF_CLOSED = 0.8;

/**
 * How many commits there are. No list of Bitbucket says so (its commits have no size), and asking page by page would cost
 * what git gives for nothing; so it is a wide range from the repository's bytes: at least one for each pull request that
 * was merged, and settled by git itself as soon as the import has fetched.
 */
export function estimateCommits(repository: {
  sizeBytes: number | null;
  /** pull requests that were merged, as far as is known */
  merged: number;
  known: KnownDensity | null;
}): Range {
  const { sizeBytes, merged, known } = repository;
  const density = known === null ? ANY_REPOSITORY : wider(known);
  const bytes = sizeBytes ?? 0;
  const low = Math.max(merged, bytes / density.manyBytes);
  const expected = Math.max(2.5 * merged, bytes / density.bytes);
  return {
    low,
    expected: Math.max(low, expected),
    high: Math.max(10 * merged, expected, bytes / density.fewBytes),
    basis: known === null ? 'repository_size' : 'imported_repositories',
  };
}

/** One in five lies outside of what eight in ten do, seldom by more than this. */
const OUTSIDE = 3;

const wider = ({ fewBytes, bytes, manyBytes }: KnownDensity): KnownDensity => ({
  fewBytes: fewBytes / OUTSIDE,
  bytes,
  manyBytes: manyBytes * OUTSIDE,
});
