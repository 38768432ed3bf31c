import { describe, expect, test } from 'vitest';
import {
  expectedOfImport,
  expectedRows,
  type KnownOfRows,
  type RowsOfImport,
  type RowsOfStream,
} from '../../../forecast/expectedRows.ts';
import type { Range } from '../../../forecast/range.ts';

const NOTHING: KnownOfRows = { estimate: null, ahead: null, listed: null, bytes: null, whole: true };
const DRY_RUN: Range = { low: 25_000, expected: 30_000, high: 37_000, basis: 'pull_requests' };

const activity = (row: Partial<RowsOfStream> = {}, known: Partial<KnownOfRows> = {}): RowsOfStream => ({
  stream: 'pull_request_activity',
  stored: 0,
  total: null,
  known: { ...NOTHING, ...known },
  ...row,
});
const commits = (row: Partial<RowsOfStream> = {}, known: Partial<KnownOfRows> = {}): RowsOfStream => ({
  ...activity(row, known),
  stream: 'commits',
});

describe('the rows that are expected of a stream', () => {
  test('are those of the dry run, and no fewer than are stored', () => {
    expect(expectedRows(activity({}, { estimate: DRY_RUN }))).toEqual(DRY_RUN);
    const late = expectedRows(activity({ stored: 33_000 }, { estimate: DRY_RUN }));
    expect(late).toEqual({ low: 33_000, expected: 33_000, high: 37_000, basis: 'pull_requests' });
  });

  test('are those stored and those that the walk has ahead, which says more than a dry run', () => {
    const ahead = { low: 4_000, expected: 5_000, high: 6_000.5 };
    expect(expectedRows(activity({ stored: 25_000 }, { estimate: DRY_RUN, ahead }))).toEqual({
      low: 29_000,
      expected: 30_000,
      high: 31_001,
      basis: 'pull_requests',
    });
  });

  test('are guessed without a dry run as it does: from the list of pull requests, and the size', () => {
    expect(expectedRows(activity({}, { listed: 500 }))).toEqual({
      low: 500,
      expected: 3_000,
      high: 9_000,
      basis: 'pull_requests',
    });
    expect(expectedRows(activity({}, { listed: 500, whole: false }))).toMatchObject({
      low: 500,
      expected: 500,
    });
    expect(expectedRows(commits({}, { bytes: 80_000_000 }))).toMatchObject({
      expected: 20_000,
      basis: 'repository_size',
    });
    // What was read before is in the size too.
    expect(expectedRows(commits({}, { bytes: 80_000_000, whole: false }))).toBeNull();
  });

  test('are not known before anything tells, and not guessed where Bitbucket announces them', () => {
    expect(expectedRows(activity())).toBeNull();
    expect(expectedRows(commits())).toBeNull();
    expect(expectedRows({ ...activity({}, { estimate: DRY_RUN }), stream: 'pull_requests' })).toBeNull();
  });

  test('of an empty repository are none', () => {
    expect(expectedRows(activity({}, { listed: 0 }))).toMatchObject({ low: 0, expected: 0, high: 0 });
  });

  test('are what git counts once it has fetched, and at the end what is stored', () => {
    const known = { estimate: DRY_RUN };
    expect(expectedRows(commits({ stored: 10, total: 1_234 }, known))).toEqual({
      low: 1_234,
      expected: 1_234,
      high: 1_234,
      basis: 'listed',
    });
    expect(expectedRows(commits({ stored: 1_190, total: 1_234, known: null }))).toEqual({
      low: 1_190,
      expected: 1_190,
      high: 1_190,
      basis: 'counted',
    });
  });
});

describe('over a whole import', () => {
  const importOf = (rows: Partial<RowsOfImport> = {}): RowsOfImport => ({
    stream: 'pull_request_activity',
    stored: 10_000,
    begun: 4,
    open: [],
    pending: 0,
    estimate: null,
    ...rows,
  });

  test('what has ended counts, and what is open is a range', () => {
    const open = [activity({ stored: 1_000 }, { ahead: { low: 500, expected: 1_000, high: 1_500 } })];
    expect(expectedOfImport(importOf({ open }))).toEqual({
      low: 10_500,
      expected: 11_000,
      high: 11_500,
      basis: 'pull_requests',
    });
    expect(expectedOfImport(importOf())).toMatchObject({ low: 10_000, high: 10_000, basis: 'counted' });
  });

  test('the dry run speaks for those that have not begun', () => {
    const rows = importOf({ pending: 6, estimate: DRY_RUN });
    expect(expectedOfImport(rows)).toEqual(DRY_RUN);
    expect(expectedOfImport({ ...rows, stored: 28_000 })).toMatchObject({ low: 28_000, expected: 30_000 });
    expect(expectedOfImport({ ...rows, stored: 40_000 })).toMatchObject({ low: 40_000, high: 40_000 });
  });

  test('without one they are taken to be like the others, loosely; before any of them nothing is known', () => {
    expect(expectedOfImport(importOf({ pending: 6 }))).toEqual({
      low: 10_000,
      expected: 25_000,
      high: 55_000,
      basis: 'sampled_repositories',
    });
    expect(expectedOfImport(importOf({ stored: 0, begun: 1, open: [activity()], pending: 6 }))).toBeNull();
    const open = [activity({ stored: 0 })];
    expect(expectedOfImport(importOf({ open, pending: 5 }))).toMatchObject({ low: 10_000, expected: 30_000 });
  });
});
