import { expect, test } from 'vitest';
import type { Import, ImportRepository } from '../../../scripts/start/demo/publicApi.ts';
import { summarise, summaryLines } from '../../../scripts/start/demo/summary.ts';

const times = { started_at: null, finished_at: null };
const ended: Import = {
  id: 'one',
  state: 'completed_with_failures',
  records: 12,
  requests: 3,
  created_at: '2026-06-01T00:00:00Z',
  finished_at: '2026-06-01T00:00:02Z',
};
const measures = { workerPeakMegabytes: 231, longestHistoryEvents: 64 };

function repository(name: string, streams: [string, string, number, number | null][]): ImportRepository {
  return {
    repository_id: name,
    full_name: name,
    state: 'completed',
    error: null,
    waiting: null,
    ...times,
    streams: streams.map(([stream, state, stored, expected]) => ({
      stream,
      state,
      stored,
      expected,
      quarantined: 0,
      requests: 1,
      ...times,
    })),
  };
}

const verdictOf = (lines: string[], stream: string): string | undefined =>
  /\d {3}([a-z].*)$/i.exec(lines.find((line) => line.trim().startsWith(stream)) ?? '')?.[1];

test('one repository that failed hides nothing of the others', () => {
  const summary = summarise(
    ended,
    [
      repository('a/whole', [
        ['commits', 'healthy', 5, 5],
        ['tickets', 'unavailable', 0, null],
      ]),
      repository('a/failed', [
        ['commits', 'failed', 2, null],
        ['refs', 'failed', 0, null],
      ]),
      repository('a/short', [['pull_requests', 'healthy', 4, 5]]),
    ],
    measures,
  );
  const lines = summaryLines(summary);
  expect(verdictOf(lines, 'commits')).toBe('complete, but not known of 1 repository');
  expect(verdictOf(lines, 'refs')).toBe('expected not known');
  expect(verdictOf(lines, 'pull requests')).toBe('NOT COMPLETE');
  expect(verdictOf(lines, 'tickets')).toBe('complete');
  expect(summary.exact).toBe(false);
});

test('memory and history length are told where they are known', () => {
  const known = summarise(ended, [], measures);
  expect(known).toMatchObject(measures);
  expect(summaryLines(known).at(-1)).toBe(
    "  the worker's memory was at most 231 MB, the longest workflow run has 64 events",
  );
  const unknown = summarise(ended, [], { workerPeakMegabytes: null, longestHistoryEvents: null });
  expect(summaryLines(unknown).at(-1)).toMatch(/completed_with_failures$/);
});
