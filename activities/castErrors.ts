import { ApplicationFailure, ApplicationFailureCategory, TemporalFailure } from '@temporalio/common';
import { activityInfo, CompleteAsyncError, log } from '@temporalio/activity';
import { DatabaseError, isUnavailable } from '../db/errors.ts';
import type { Finding } from '../workflows/words.ts';

/** The shape that the engine's own errors share: a type to switch on, what a person may read, whether to try again. */
interface TypedError extends Error {
  type: string;
  finding: Finding;
  retry: { kind: 'never' | 'always' | 'later' } | { kind: 'limited'; attempts: number };
  /** of a limit: ISO time, and why */
  until?: string;
  why?: string;
}

/** What is known of the attempt that failed. */
export interface Attempt {
  /** from 1 */
  number: number;
  /** how many failures in a row, this one included, were of those that are worth a few attempts only */
  limitedInARow: number;
  /** true: the activity's policy has no growing wait of its own (a lost worker is replaced at once), so the error brings it */
  bringsWait: boolean;
}

const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 5 * 60_000;
/** Postgres says when it is there: work goes on within ten seconds of that (reliability.md, F10). */
const LONGEST_WAIT_FOR_POSTGRES_MS = 5_000;

/** A limit that ends within this time is waited for by the retry; a longer one by a timer that an operator can read. */
const SHORT_WAIT_MS = 60_000;

function isTyped(error: unknown): error is TypedError {
  return (
    error instanceof Error &&
    'type' in error &&
    typeof error.type === 'string' &&
    'finding' in error &&
    typeof error.finding === 'object' &&
    'retry' in error &&
    typeof error.retry === 'object'
  );
}

/** Code places only: the first lines of a stack repeat the message, which may hold what somebody sent. */
const placesOf = (error: Error): string =>
  (error.stack ?? '')
    .split('\n')
    .filter((line) => /^\s+at /.test(line))
    .join('\n');

/** Twice as long after each attempt. Another attempt that took over is no reason to wait. */
function waitAfter(error: unknown, attempt: Attempt): { nextRetryDelay?: number } {
  if (!attempt.bringsWait || (isTyped(error) && error.type === 'Fenced')) return {};
  const longest =
    error instanceof DatabaseError && isUnavailable(error) ? LONGEST_WAIT_FOR_POSTGRES_MS : LONGEST_WAIT_MS;
  return { nextRetryDelay: Math.min(FIRST_WAIT_MS * 2 ** (attempt.number - 1), longest) };
}

/**
 * Turns what an activity threw into the failure that Temporal stores, in clear: type, finding and code places, never
 * the text of an error that the engine did not write.
 */
export function castError(error: unknown, attempt: Attempt, nowMs = Date.now()): unknown {
  if (error instanceof TemporalFailure || error instanceof CompleteAsyncError) return error;
  if (isTyped(error)) return castTyped(error, attempt, nowMs);
  const wait = waitAfter(error, attempt);
  const failure =
    error instanceof DatabaseError
      ? ApplicationFailure.create({
          ...wait,
          type: 'DatabaseError',
          message: `Postgres refused a statement or was not there (${error.code}${error.table === undefined ? '' : ` on ${error.table}`}).`,
        })
      : ApplicationFailure.create({
          ...wait,
          type: error instanceof Error ? error.name : 'Unknown',
          message: `${error instanceof Error ? error.name : typeof error}: the worker's log has its text.`,
        });
  if (error instanceof Error) failure.stack = `${failure.message}\n${placesOf(error)}`;
  return failure;
}

function castTyped(error: TypedError, attempt: Attempt, nowMs: number): ApplicationFailure {
  const { type, finding, retry } = error;
  // The api answers a refused command from `fix`; workflows read the whole finding.
  const detail = { ...finding, fix: finding.remedy };
  const common = { type, message: finding.message };
  if (retry.kind !== 'later') {
    const nonRetryable =
      retry.kind === 'never' || (retry.kind === 'limited' && attempt.limitedInARow >= retry.attempts);
    return ApplicationFailure.create({
      ...common,
      ...waitAfter(error, attempt),
      details: [detail],
      nonRetryable,
    });
  }
  const until = error.until ?? new Date(nowMs + SHORT_WAIT_MS).toISOString();
  const waitMs = Math.max(1_000, Date.parse(until) - nowMs);
  return ApplicationFailure.create({
    ...common,
    details: [detail, { until, why: error.why ?? finding.message }],
    // expected, so no warning in the log and no failure in the metrics
    category: ApplicationFailureCategory.BENIGN,
    ...(waitMs <= SHORT_WAIT_MS ? { nextRetryDelay: waitMs } : { nonRetryable: true }),
  });
}

/** So many activities are remembered; of those beyond, the ones that failed longest ago begin to count anew. */
const MOST_REMEMBERED = 1_000;

const isLimited = (error: unknown): boolean => isTyped(error) && error.retry.kind === 'limited';

/**
 * Counts for each activity the failures in a row that are worth a few attempts only: Temporal's own number counts an
 * outage of an hour as well, behind which a single unreadable answer must not be the last. Kept by this worker alone:
 * where another one goes on, it counts anew.
 */
export function createFailureCounts(): (activity: string, error: unknown) => number {
  const counts = new Map<string, number>();
  return (activity, error) => {
    const count = isLimited(error) ? (counts.get(activity) ?? 0) + 1 : 0;
    counts.delete(activity);
    if (count > 0) counts.set(activity, count);
    if (counts.size > MOST_REMEMBERED) counts.delete(counts.keys().next().value ?? '');
    return count;
  };
}

/** The one place where errors become failures: an inbound interceptor of both workers, around every activity. */
export function createCastErrors() {
  const countOf = createFailureCounts();
  return {
    async execute<Input, Output>(input: Input, next: (input: Input) => Promise<Output>): Promise<Output> {
      try {
        return await next(input);
      } catch (error) {
        const { attempt, retryPolicy, activityId, workflowExecution } = activityInfo();
        const cast = castError(error, {
          number: attempt,
          limitedInARow: countOf(`${workflowExecution?.runId ?? ''}/${activityId}`, error),
          bringsWait: retryPolicy?.backoffCoefficient === 1,
        });
        if (cast !== error && !isTyped(error)) log.error('An activity met an unexpected error', { error });
        throw cast;
      }
    },
  };
}
