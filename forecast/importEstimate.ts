import type { Stream } from '../workflows/words.ts';
import { STREAMS } from '../workflows/words.ts';
import { type Allowance, endOf } from './allowance.ts';
import { exactly, type Range, rounded, sum } from './range.ts';
import type { StreamEstimate } from './repositoryEstimate.ts';
import { extrapolate } from './repositorySample.ts';

export interface SampledEstimate {
  stratum: number;
  weight: number;
  /** null: it could not be asked about, so its import will fail */
  streams: readonly StreamEstimate[] | null;
  sizeBytes: number | null;
}

export interface Surroundings {
  /** repositories chosen in all */
  repositories: number;
  /** null: no limit is known */
  allowance: Allowance | null;
  /** imports that share the account's allowance, this one included */
  sharers: number;
  /** how long answers took, milliseconds */
  tookMs: readonly number[];
  nowMs: number;
}

export interface ImportEstimate {
  requests: Range;
  streams: StreamEstimate[];
  /** ISO times */
  ends: { low: string; expected: string; high: string };
}

/** Where nothing was measured: an answer of Bitbucket's takes about this long. */
const USUAL_REQUEST_MS = 400;
/** A clone and the reading of its history: about 4 MB and half a second. */
const GIT_BYTES_PER_MS = 4_000;
const GIT_START_MS = 500;

/** Rows, requests and end of an import from its sampled repositories. Pure: the clock comes in. */
export function estimateImport(sampled: readonly SampledEstimate[], around: Surroundings): ImportEstimate {
  const over = (value: (streams: readonly StreamEstimate[]) => Range): Range =>
    rounded(
      extrapolate(
        sampled.map(({ stratum, weight, streams }) => ({
          stratum,
          weight,
          value: streams === null ? exactly(0) : value(streams),
        })),
      ),
    );
  const present = STREAMS.filter((name) =>
    sampled.some(({ streams }) => streams?.some((one) => one.stream === name)),
  );
  const streams = present.map((stream) => ({
    stream,
    records: over((all) => ofStream(all, stream)?.records ?? exactly(0)),
    requests: over((all) => ofStream(all, stream)?.requests ?? exactly(0)),
  }));
  const requests = over(requestsInAll);
  const gitMs = sampled.reduce(
    (total, { weight, sizeBytes, streams: own }) =>
      own?.some(({ stream, requests: listed }) => stream === 'commits' && listed.high === 0) === true
        ? total + weight * (GIT_START_MS + (sizeBytes ?? 0) / GIT_BYTES_PER_MS)
        : total,
    0,
  );
  const ends = (count: number): string => {
    const { repositories, allowance, sharers, tookMs, nowMs } = around;
    const work = {
      requests: count,
      repositories,
      requestMs: median(tookMs) ?? USUAL_REQUEST_MS,
      gitMs,
      sharers,
    };
    return new Date(endOf(work, allowance, nowMs)).toISOString();
  };
  return {
    requests,
    streams,
    ends: { low: ends(requests.low), expected: ends(requests.expected), high: ends(requests.high) },
  };
}

/** Of one repository; its streams depend on the same unknowns, so their bounds come together. */
export function requestsInAll(streams: readonly StreamEstimate[]): Range {
  const added = sum(streams.map((one) => one.requests));
  return {
    ...added,
    low: streams.reduce((total, one) => total + one.requests.low, 0),
    high: streams.reduce((total, one) => total + one.requests.high, 0),
  };
}

const ofStream = (streams: readonly StreamEstimate[], name: Stream): StreamEstimate | undefined =>
  streams.find(({ stream }) => stream === name);

function median(values: readonly number[]): number | undefined {
  const ordered = values.toSorted((one, other) => one - other);
  return ordered[Math.floor(ordered.length / 2)];
}
