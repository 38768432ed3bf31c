import {
  isGrpcDeadlineError,
  isGrpcServiceError,
  WorkflowExecutionAlreadyStartedError,
  WorkflowUpdateFailedError,
  WorkflowUpdateRPCTimeoutOrCancelledError,
} from '@temporalio/client';
import { ApplicationFailure, WorkflowNotFoundError } from '@temporalio/common';
import { Problem, unavailable } from './problem.ts';

/** The status of gRPC by which a server says that it has too much of something. */
const RESOURCE_EXHAUSTED = 8;

/** Codes of refusals that speak about the request itself rather than about the state. */
const STATUS_OF_CODE: Record<string, 404 | 422> = {
  name_invalid: 422,
  nothing_chosen: 422,
  service_not_allowed: 422,
  integration_gone: 404,
};

/** The run that an update was sent to had ended, and may not begin again. */
export const hasRunEnded = (error: unknown): boolean =>
  error instanceof WorkflowNotFoundError || error instanceof WorkflowExecutionAlreadyStartedError;

/** The run took the update and ended before it answered: terminated by an operator, or failed. */
export const endedUnanswered = (error: unknown): boolean =>
  error instanceof WorkflowUpdateFailedError &&
  error.cause instanceof ApplicationFailure &&
  error.cause.type === 'AcceptedUpdateCompletedWorkflow';

/** What Temporal's client threw, as a Problem where it is one of the expected things. */
export function problemOf(error: unknown): unknown {
  if (endedUnanswered(error)) return unavailable('worker');
  if (error instanceof WorkflowUpdateFailedError && error.cause instanceof ApplicationFailure) {
    return refusal(error.cause);
  }
  if (error instanceof WorkflowUpdateRPCTimeoutOrCancelledError || isGrpcDeadlineError(error)) {
    return unavailable('worker');
  }
  const code = grpcCodeOf(error);
  // Ten updates of a run may be in flight (`history.maxInFlightUpdates`).
  if (code === RESOURCE_EXHAUSTED) return unavailable('commands');
  if (code !== undefined) return unavailable('answer');
  return error;
}

/**
 * Nothing was begun: it was refused, or Temporal was not there to be asked. Behind a time that ran out, or a connection
 * that broke, it may still be.
 */
export const neverBegan = (error: unknown): boolean =>
  error instanceof Problem && (error.status < 500 || error.code === 'unavailable');

/** The run answered, if only by failing: the same update again would be given the same. */
export const wasAnswered = (error: unknown): boolean =>
  error instanceof WorkflowUpdateFailedError && !endedUnanswered(error);

/** Of the call itself, or of what the client met by it; undefined: neither was one. */
function grpcCodeOf(error: unknown): number | undefined {
  if (isGrpcServiceError(error)) return error.code;
  return error instanceof Error && isGrpcServiceError(error.cause) ? error.cause.code : undefined;
}

function refusal(failure: ApplicationFailure): Problem {
  const code = failure.type ?? 'refused';
  const detail: unknown = failure.details?.[0];
  const text = (name: string): string | undefined => {
    const value: unknown = isRecord(detail) ? detail[name] : undefined;
    return typeof value === 'string' ? value : undefined;
  };
  return new Problem({
    status: STATUS_OF_CODE[code] ?? 409,
    code,
    detail: text('message') ?? failure.message,
    fix: text('fix') ?? 'Read the integration again; its links say what can be done next.',
  });
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null;
