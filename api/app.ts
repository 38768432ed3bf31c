import { randomUUID } from 'node:crypto';
import { OpenAPIHono } from '@hono/zod-openapi';
import { bodyLimit } from 'hono/body-limit';
import { HTTPException } from 'hono/http-exception';
import { databaseError, isUnavailable } from '../db/errors.ts';
import type { ApiApp, ApiDependencies, ApiEnv } from './dependencies.ts';
import { addDocs } from './docs/addDocs.ts';
import { createKeyDirectory } from './keyDirectory.ts';
import { createMethodsOf } from './methods.ts';
import { observeRequests } from './observe.ts';
import { describeApi } from './openapi.ts';
import { noSuchAddress, notFound, Problem, problemResponse, unavailable } from './problem.ts';
import { addRoutes } from './routes/index.ts';
import { securityHeaders } from './securityHeaders.ts';
import { refuseInvalid } from './validation.ts';
import { createWebhookIntake } from './webhooks/intake.ts';

const BODY_LIMIT_BYTES = 64 * 1024;
/** What comes here has a limit of its own (`webhooks/rawBody.ts`), and is read only where it may be a delivery. */
const WEBHOOKS = '/v1/webhooks/';
/** A caller may name the request, so that its log and ours meet; anything else gets a fresh id. */
const REQUEST_ID = /^[\w.:-]{1,100}$/;

/**
 * The HTTP API. Thin: checks the key, validates, starts or updates workflows, reads Postgres.
 *
 * @example
 * const api = createApi(dependencies);
 * await api.request('/livez');
 */
export function createApi(dependencies: ApiDependencies): ApiApp {
  const app: ApiApp = new OpenAPIHono<ApiEnv>({ defaultHook: refuseInvalid });

  const intake = createWebhookIntake(dependencies);
  const keys = createKeyDirectory(dependencies.database);

  app.use(async (c, next) => {
    const given = c.req.header('X-Request-Id') ?? '';
    const requestId = REQUEST_ID.test(given) ? given : randomUUID();
    c.set('dependencies', dependencies);
    c.set('intake', intake);
    c.set('keys', keys);
    c.set('requestId', requestId);
    c.set('log', dependencies.log.child({ request_id: requestId }));
    await next();
    c.res.headers.set('X-Request-Id', requestId);
  });
  app.use(observeRequests(dependencies.metrics));
  app.use(securityHeaders());
  const limitBody = bodyLimit({
    maxSize: BODY_LIMIT_BYTES,
    onError: (c) => problemResponse(tooLarge(), c.get('requestId')),
  });
  app.use((c, next) => (c.req.path.startsWith(WEBHOOKS) ? next() : limitBody(c, next)));

  addRoutes(app);
  describeApi(app);
  addDocs(app);

  const methodsOf = createMethodsOf(app);
  app.notFound((c) => {
    const allowed = methodsOf(c.req.path);
    const problem = allowed.length === 0 ? noSuchAddress() : methodNotAllowed(c.req.method, allowed);
    return problemResponse(problem, c.get('requestId'));
  });
  app.onError((error, c) => {
    const problem = problemOf(error);
    const level = problem.status >= 500 ? 'error' : 'debug';
    c.var.log[level]({ error }, 'The request was not carried out');
    return problemResponse(problem, c.var.requestId);
  });
  return app;
}

const methodNotAllowed = (method: string, allowed: string[]): Problem =>
  new Problem({
    status: 405,
    code: 'method_not_allowed',
    detail: `This address does not take ${method}.`,
    fix: `Use one of: ${allowed.join(', ')}.`,
    headers: { Allow: allowed.join(', ') },
  });

const tooLarge = (): Problem =>
  new Problem({
    status: 413,
    code: 'body_too_large',
    detail: `The body is larger than ${BODY_LIMIT_BYTES} bytes.`,
    fix: 'Send less at once: several imports instead of one with thousands of ids, or choose by project or workspace.',
  });

/** Foreign keys are named after what they lead to. Where it is not there, it was removed since the request looked for it. */
const PARENT = /_(integration|repository|import)$/;

/** Whatever was thrown as the problem that the caller sees; what is unexpected says nothing of itself. */
function problemOf(error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof HTTPException) return requestProblem(error);
  const failed = databaseError(error);
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
