import type { Afterwards } from './afterwards.ts';
import type { Measures } from './measures.ts';
import type { Import, ImportRepository } from './publicApi.ts';

/** What the import says in `--summary FILE`. */
export interface Summary extends Measures {
  readonly state: string;
  readonly exact: boolean;
  readonly records: number;
  readonly requests: number;
  readonly seconds: number;
  readonly repositories: readonly {
    readonly repository: string;
    readonly state: string;
    readonly seconds: number;
    readonly error: string | null;
    readonly streams: readonly {
      readonly stream: string;
      readonly state: string;
      readonly expected: number | null;
      readonly stored: number;
      readonly quarantined: number;
      readonly requests: number;
      readonly seconds: number;
    }[];
  }[];
}

/** What `--summary FILE` holds. */
export interface ToldSummary extends Summary {
  readonly afterwards: Afterwards;
}

const seconds = (from: string | null, to: string | null): number =>
  from === null || to === null ? 0 : Math.round(Date.parse(to) - Date.parse(from)) / 1_000;

/** Streams that the host no longer has, or that were switched off, owe nothing. */
const isExact = (stream: ImportRepository['streams'][number]): boolean =>
  stream.state === 'unavailable' ||
  stream.state === 'switched_off' ||
  (stream.state === 'healthy' && stream.stored === stream.expected && stream.quarantined === 0);

export function summarise(
  ended: Import,
  repositories: readonly ImportRepository[],
  measures: Measures,
): Summary {
  return {
    ...measures,
    state: ended.state,
    exact: ended.state === 'completed' && repositories.every(({ streams }) => streams.every(isExact)),
    records: ended.records,
    requests: ended.requests,
    seconds: seconds(ended.created_at, ended.finished_at),
    repositories: repositories.map((repository) => ({
      repository: repository.full_name,
      state: repository.state,
      seconds: seconds(repository.started_at, repository.finished_at),
      error: repository.error?.message ?? null,
      streams: repository.streams.map(
        ({ stream, state, expected, stored, quarantined, requests, ...times }) => ({
          stream,
          state,
          expected,
          stored,
          quarantined,
          requests,
          seconds: seconds(times.started_at, times.finished_at),
        }),
      ),
    })),
  };
}

const STREAM_NAMES: Record<string, string> = {
  refs: 'refs',
  commits: 'commits',
  pull_requests: 'pull requests',
  pull_request_activity: 'activity',
  pull_request_comments: 'comments',
  tickets: 'tickets',
  ticket_comments: 'ticket comments',
  ticket_changes: 'ticket changes',
};

interface Total {
  expected: number;
  /** records stored of the repositories whose number is known */
  compared: number;
  stored: number;
  requests: number;
  /** repositories whose number is known, and those that did not get as far as to know how many there are */
  known: number;
  unknown: number;
}

function verdictOf({ expected, compared, known, unknown }: Total): string {
  if (known === 0) return 'expected not known';
  const verdict = expected === compared ? 'complete' : 'NOT COMPLETE';
  if (unknown === 0) return verdict;
  return `${verdict}, but not known of ${unknown} ${unknown === 1 ? 'repository' : 'repositories'}`;
}

/** The completeness table: one line a stream over all repositories, then whatever did not go well. */
export function summaryLines(summary: Summary): string[] {
  const totals = new Map<string, Total>();
  for (const { streams } of summary.repositories) {
    for (const { stream, expected, stored, requests, state } of streams) {
      const total = totals.get(stream) ?? {
        expected: 0,
        compared: 0,
        stored: 0,
        requests: 0,
        known: 0,
        unknown: 0,
      };
      total.stored += stored;
      total.requests += requests;
      // A stream that the host no longer has owes nothing; what a failed one stored has nothing to be compared with.
      if (expected === null && state !== 'unavailable') total.unknown += 1;
      else {
        total.known += 1;
        total.expected += expected ?? 0;
        total.compared += stored;
      }
      totals.set(stream, total);
    }
  }
  const table = [...totals].map(([stream, total]) => {
    const { expected, stored, requests } = total;
    const cells = [`${expected}`.padStart(9), `${stored}`.padStart(9), `${requests}`.padStart(9)];
    return `  ${(STREAM_NAMES[stream] ?? stream).padEnd(18)}${cells.join('')}   ${verdictOf(total)}`;
  });
  const failures = summary.repositories
    .filter(({ error }) => error !== null)
    .map(({ repository, error }) => `  ${repository}: ${error}`);
  return [
    `  ${'stream'.padEnd(18)}${'expected'.padStart(9)}${'stored'.padStart(9)}${'requests'.padStart(9)}`,
    ...table,
    ...failures,
    `  ${summary.records} records of ${summary.repositories.length} repositories with ${summary.requests} requests in ${summary.seconds} s: ${summary.state}`,
    ...measureLine(summary),
  ];
}

function measureLine({ workerPeakMegabytes, longestHistoryEvents }: Measures): string[] {
  const parts = [
    workerPeakMegabytes === null ? undefined : `the worker's memory was at most ${workerPeakMegabytes} MB`,
    longestHistoryEvents === null ? undefined : `the longest workflow run has ${longestHistoryEvents} events`,
  ].filter((part) => part !== undefined);
  return parts.length === 0 ? [] : [`  ${parts.join(', ')}`];
}
