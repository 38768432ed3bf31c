import { ApplicationFailure } from '@temporalio/common';
import { sql } from 'drizzle-orm';
import { castError, createFailureCounts } from '../../../activities/castErrors.ts';
import type { StreamActivitiesOptions } from '../../../activities/streams/streams.ts';
import type { ChunkResult } from '../../../workflows/contracts/streams.ts';
import { readFailure } from '../../../workflows/failures.ts';
import { IMPORT_TIMING } from '../../../workflows/timing.ts';
import { passTime } from '../../support/passTime.ts';
import type { ImportInput, Situation } from './situation.ts';

/** What became of imports that were driven. */
export interface Driven {
  /** chunks that ended with an error that is tried again */
  retried: number;
  /** waits for a limit */
  limited: number;
  /** finding codes of the repositories that failed for good, by repository id */
  failed: Map<string, string>;
}

/** Imports on a clock of their own: waits of hours take no time, for the engine's rows as for the host. */
export interface VirtualTime {
  /** Milliseconds since the epoch: the machine's clock and all that was passed. */
  nowMs(): number;
  pass(ms: number): Promise<void>;
  /**
   * Runs chunk after chunk of each import, one at a time, until all are done or failed: tries again, and waits, as the
   * workflow and its retry policy do. Ends early when `until` says so.
   */
  drive(imports: readonly ImportInput[], options?: DriveOptions): Promise<Driven>;
}

export interface DriveOptions {
  activities?: Partial<StreamActivitiesOptions>;
  /** asked when the time of the next chunk has come */
  until?: () => boolean | Promise<boolean>;
  /** told of each chunk that was stored */
  onChunk?: (result: ChunkResult) => void;
}

interface Run {
  input: ImportInput;
  readyAtMs: number;
  /** of this chunk, as Temporal counts: a chunk that ends well is another activity */
  attempt: number;
  chunk: number;
}

const MOST_CHUNKS = 20_000;

export function createVirtualTime(situation: Situation): VirtualTime {
  let passedMs = 0;
  const nowMs = (): number => Date.now() + passedMs;

  async function pass(ms: number): Promise<void> {
    if (ms <= 0) return;
    passedMs += ms;
    await passTime(situation, ms);
    const seconds = sql`make_interval(secs => ${ms / 1_000})`;
    await situation.database.withoutTenant((tx) =>
      tx.execute(sql`update request_waits set since = since - ${seconds}, until = until - ${seconds},
        woken_at = woken_at - ${seconds}`),
    );
  }

  async function drive(imports: readonly ImportInput[], options: DriveOptions = {}): Promise<Driven> {
    const countOf = createFailureCounts();
    const driven: Driven = { retried: 0, limited: 0, failed: new Map() };
    const runs: Run[] = imports.map((input) => ({ input, readyAtMs: nowMs(), attempt: 1, chunk: 1 }));
    for (let chunks = 0; runs.length > 0; chunks += 1) {
      if (chunks > MOST_CHUNKS) throw new Error('the imports do not end');
      const run = runs.reduce((first, other) => (other.readyAtMs < first.readyAtMs ? other : first));
      await pass(run.readyAtMs - nowMs());
      if ((await options.until?.()) === true) break;
      const { repositoryId } = run.input;
      try {
        const result = await situation.chunk(run.input, options.activities);
        options.onChunk?.(result);
        Object.assign(run, { attempt: 1, chunk: run.chunk + 1, readyAtMs: nowMs() });
        if (result.done) runs.splice(runs.indexOf(run), 1);
        if (result.limited !== undefined) wait(run, result.limited.until);
      } catch (error) {
        const limitedInARow = countOf(`${repositoryId} ${String(run.chunk)}`, error);
        const failure = castError(error, { number: run.attempt, limitedInARow, bringsWait: true });
        if (!(failure instanceof ApplicationFailure)) throw error;
        tryAgain(run, failure, error);
      }
    }
    return driven;

    function wait(run: Run, until: string): void {
      driven.limited += 1;
      // `until` is by Postgres' clock, which does not know of what was passed.
      run.readyAtMs = Date.parse(until) + passedMs;
    }

    function tryAgain(run: Run, failure: ApplicationFailure, error: unknown): void {
      const { type, limited, finding } = readFailure(failure);
      run.attempt += 1;
      if (limited !== null) {
        wait(run, limited.until);
      } else if (!failure.nonRetryable) {
        if (!('finding' in (error as object))) throw error;
        driven.retried += 1;
        run.readyAtMs = nowMs() + Number(failure.nextRetryDelay ?? 0);
      } else if (type === 'AuthRefused' || type === 'CredentialUnusable') {
        run.readyAtMs = nowMs() + IMPORT_TIMING.refusedEveryMs;
      } else {
        driven.failed.set(run.input.repositoryId, finding.code);
        runs.splice(runs.indexOf(run), 1);
      }
    }
  }

  return { nowMs, pass, drive };
}
