import { HTTPException } from 'hono/http-exception';
import { databaseError, isUnavailable } from '../db/errors.ts';
import { notFound, Problem, unavailable } from './problem.ts';

/** Foreign keys are named after what they lead to. Where it is not there, it was removed since the request looked for it. */
const PARENT = /_(integration|repository|import)$/;

/** Whatever was thrown as the problem that the caller sees; what is unexpected says nothing of itself. */
export function problemOf(error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof HTTPException) return requestProblem(error);
  const failed = databaseError(error);
  // transaction resolution unknown
  if (failed?.code === '08007') return unavailable('write');
  // 57014: the statement ran into its timeout
  if (failed !== undefined && (isUnavailable(failed) || failed.code === '57014'))
    return unavailable('Postgres');
  const parent = failed?.code === '23503' ? PARENT.exec(failed.constraint ?? '')?.[1] : undefined;
  if (parent !== undefined) return notFound(parent);
  return new Problem({
    status: 500,
    code: 'internal_error',
    detail: 'Something unexpected went wrong.',
    fix: 'Try again; if it stays, give the operator the request_id.',
  });
}

/** What Hono refuses by itself: JSON that is none, and bodies of another type. */
function requestProblem(error: HTTPException): Problem {
  if (error.status === 415) {
    return new Problem({
      status: 415,
      code: 'unsupported_media_type',
      detail: 'The body is not of the type that this operation takes.',
      fix: 'Send JSON with `Content-Type: application/json`.',
    });
  }
  return new Problem({
    status: 400,
    code: 'malformed_json',
    detail: 'The body is not valid JSON.',
    fix: 'Send one JSON object in UTF-8.',
  });
}
