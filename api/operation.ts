import { createRoute, type RouteConfig, z } from '@hono/zod-openapi';
import type { MiddlewareHandler } from 'hono';
import type { Role } from '../db/schema/tenancy.ts';
import { requireKey } from './auth.ts';
import type { ApiEnv } from './dependencies.ts';
import { keepAnswers } from './idempotency.ts';
import { PROBLEM_TYPE, problemSchema, type ProblemStatus } from './problem.ts';

interface OperationSpec<P extends string> extends Omit<RouteConfig, 'path' | 'security' | 'middleware'> {
  path: P;
  operationId: string;
  summary: string;
  tags: string[];
  /** the least role that may call it; null: needs no key */
  role: Role | null;
  /** shown to a browser: what is wrong with its parameters is said by a page (400), not by a problem */
  page?: boolean;
  /** statuses of its own beside those that every operation of its kind has */
  problems?: ProblemStatus[];
  /** what a status means here, where that is not what it means elsewhere */
  problemTexts?: Partial<Record<ProblemStatus, string>>;
}

const PROBLEM_TEXTS: Record<ProblemStatus, string> = {
  400: 'A query parameter, header or the JSON is malformed.',
  401: 'The key is missing, unknown, expired or revoked.',
  403: "The key's role does not allow this.",
  404: 'It is not there, or belongs to somebody else.',
  405: 'The address does not take this method; `Allow` lists those it takes.',
  409: 'The present state does not allow this; `fix` says what to do.',
  413: 'The body is larger than 64 KiB.',
  415: 'The body is not JSON.',
  422: 'The body does not say what is expected.',
  429: 'Too many requests; `Retry-After` says when to go on.',
  500: 'Something unexpected went wrong; `request_id` leads the operator to it.',
  503: 'Postgres, Temporal or a worker is not reachable; `Retry-After` says when to try again.',
};

const problemAnswer = (status: ProblemStatus, text: string = PROBLEM_TEXTS[status]) => ({
  description: text,
  content: { [PROBLEM_TYPE]: { schema: problemSchema } },
});

/** Such an operation takes an Idempotency-Key. */
const changesSomething = ({ role, method }: OperationSpec<string>): boolean =>
  role !== null && method !== 'get';

/** Statuses that follow from what an operation is: a key, a body, an id in its path, a query. */
function impliedProblems(spec: OperationSpec<string>): ProblemStatus[] {
  const { role, request } = spec;
  const statuses: ProblemStatus[] = [];
  if (spec.page === true) return statuses;
  if (role !== null) statuses.push(401, 503);
  if (role !== null && role !== 'viewer') statuses.push(403);
  if (role !== null && spec.path.includes('{')) statuses.push(404);
  if (request?.query !== undefined || changesSomething(spec)) statuses.push(400);
  if (request?.body !== undefined) statuses.push(400, 413, 415, 422);
  if (changesSomething(spec)) statuses.push(409, 422);
  return statuses;
}

const IDEMPOTENCY_KEY = z.string().min(1).max(200).optional().meta({
  description:
    'The same key with the same request gives the same answer, for 24 hours; sent again behind a 503 it joins the command that waits.',
});
const ACTING_USER = z
  .string()
  .max(200)
  .optional()
  .meta({ description: 'The person behind the backend; shown in created_by and the audit trail.' });

function headersOf(spec: OperationSpec<string>): z.ZodObject | undefined {
  if (!changesSomething(spec)) return undefined;
  return z.object({ 'idempotency-key': IDEMPOTENCY_KEY, 'acting-user': ACTING_USER });
}

/**
 * Describes one operation: `createRoute` with what all of ours share: the key and its role, idempotent changes,
 * and the problems that follow from its kind.
 */
export function operation<P extends string, const S extends OperationSpec<P>>(spec: S & { path: P }) {
  const { role } = spec;
  const statuses = [...new Set([...impliedProblems(spec), ...(spec.problems ?? [])])].toSorted(
    (a, b) => a - b,
  );
  // Typed as `object`: handlers give the answers of their own; problems are thrown.
  const problems: object = Object.fromEntries(
    statuses.map((status) => [status, problemAnswer(status, spec.problemTexts?.[status])]),
  );
  const page: object =
    spec.page === true
      ? {
          400: {
            description: 'A page that says what to do.',
            content: { 'text/html': { schema: z.string() } },
          },
        }
      : {};
  const middleware: MiddlewareHandler<ApiEnv>[] = [
    ...(role === null ? [] : [requireKey(role)]),
    ...(changesSomething(spec) ? [keepAnswers(`${spec.method.toUpperCase()} ${spec.path}`)] : []),
  ];
  const headers = headersOf(spec);
  const shared: object = {
    ...(role === null ? {} : { security: [{ key: [] }], 'x-required-role': role }),
    middleware,
    request: { ...spec.request, ...(headers === undefined ? {} : { headers }) },
  };
  return createRoute({ ...spec, ...shared, responses: { ...spec.responses, ...page, ...problems } });
}

/** A JSON answer of a route. */
export const answer = <T extends z.ZodType>(schema: T, description: string, headers?: z.ZodObject) => ({
  description,
  content: { 'application/json': { schema } },
  ...(headers === undefined ? {} : { headers }),
});

/** A JSON body of a route. */
export const jsonBody = <T extends z.ZodType>(schema: T, required = true) => ({
  content: { 'application/json': { schema } },
  required,
});

export const locationHeader = z.object({
  Location: z.string().meta({ description: 'where the outcome can be read' }),
});
