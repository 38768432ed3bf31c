import { ActivityFailure, ApplicationFailure, isCancellation, TimeoutFailure } from '@temporalio/workflow';
import type { Limited } from './contracts/waiting.ts';
import type { Finding } from './words.ts';

/** What an activity's failure says, without its text: workflows switch on `type`. */
export interface ReadFailure {
  type: string;
  finding: Finding;
  limited: Limited | null;
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null;

function findingIn(detail: unknown): Finding | null {
  if (!isRecord(detail)) return null;
  const { code, message, remedy } = detail;
  return typeof code === 'string' && typeof message === 'string' && typeof remedy === 'string'
    ? { code, message, remedy, ...(isRecord(detail['details']) ? { details: detail['details'] } : {}) }
    : null;
}

function limitedIn(detail: unknown): Limited | null {
  if (!isRecord(detail)) return null;
  const { until, why } = detail;
  return typeof until === 'string' && typeof why === 'string' ? { until, why } : null;
}

const UNEXPECTED: Finding = {
  code: 'internal_error',
  message: 'Something unexpected went wrong in the engine.',
  remedy: 'Try again; if it comes back, the operator finds the cause in the run of this workflow.',
};

/** The application failure inside what an awaited activity threw, if there is one. */
export function applicationFailure(error: unknown): ApplicationFailure | null {
  const cause = error instanceof ActivityFailure ? error.cause : error;
  return cause instanceof ApplicationFailure ? cause : null;
}

/** The type of an attempt whose worker was killed, where the next worker said so before its heartbeats were missed. */
export const WORKER_LOST = 'WorkerLost';

/** The last attempt of an activity ended with its worker, or took too long. */
export const isLost = (error: unknown): boolean =>
  (error instanceof ActivityFailure && error.cause instanceof TimeoutFailure) ||
  applicationFailure(error)?.type === WORKER_LOST;

/**
 * Reads a failed activity: its type, its finding (made by `activities/castErrors.ts`) and, for a limit, until when.
 * A cancellation is none of it and is thrown on.
 */
export function readFailure(error: unknown): ReadFailure {
  if (isCancellation(error)) throw error;
  const failure = applicationFailure(error);
  const details: unknown[] = failure?.details ?? [];
  return {
    type: failure?.type ?? 'Unknown',
    finding: details.map(findingIn).find((found) => found !== null) ?? UNEXPECTED,
    limited: details.map(limitedIn).find((found) => found !== null) ?? null,
  };
}
