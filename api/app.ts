import { OpenAPIHono } from '@hono/zod-openapi';
import type { HonoRequest } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import type { ApiApp, ApiDependencies, ApiEnv } from './dependencies.ts';
import { addDocs } from './docs/addDocs.ts';
import { createKeyDirectory } from './keyDirectory.ts';
import { createMethodsOf } from './methods.ts';
import { observeRequests } from './observe.ts';
import { describeApi } from './openapi.ts';
import { noSuchAddress, Problem, problemResponse } from './problem.ts';
import { problemOf } from './problemOf.ts';
import { requestIdOf } from './requestId.ts';
import { idsOf } from './requestLog.ts';
import { addRoutes } from './routes/index.ts';
import { securityHeaders } from './securityHeaders.ts';
import { createStreamLimit } from './streamLimit.ts';
import { createTurnstile } from './turnstile.ts';
import { refuseInvalid } from './validation.ts';

const BODY_LIMIT_BYTES = 64 * 1024;
/** Event streams of this process. A backend follows the imports of all its users with one key; more are not closed. */
const STREAMS = { perKey: 20, inAll: 200 };
/** Of the ten connections to the database. */
const LOOKS_AT_ONCE = 3;
/** What comes here has a limit of its own (`webhooks/rawBody.ts`), and is read only where it may be a delivery. */
const WEBHOOKS = '/v1/webhooks/';

/**
 * The HTTP API. Thin: checks the key, validates, starts or updates workflows, reads Postgres.
 *
 * @example
 * const api = createApi(dependencies);
 * await api.request('/livez');
 */
export function createApi(dependencies: ApiDependencies): ApiApp {
  const app: ApiApp = new OpenAPIHono<ApiEnv>({ defaultHook: refuseInvalid });

  const keys = createKeyDirectory(dependencies.database);
  const streams = createStreamLimit(STREAMS);
  const looks = createTurnstile(LOOKS_AT_ONCE);

  app.use(async (c, next) => {
    const requestId = requestIdOf(c.req.header('X-Request-Id'));
    c.set('dependencies', dependencies);
    c.set('keys', keys);
    c.set('streams', streams);
    c.set('looks', looks);
    c.set('requestId', requestId);
    await next();
    c.res.headers.set('X-Request-Id', requestId);
  });
  app.use(observeRequests(dependencies.observe));
  app.use(securityHeaders());
  const limitBody = bodyLimit({
    maxSize: BODY_LIMIT_BYTES,
    onError: (c) => problemResponse(tooLarge(), c.get('requestId')),
  });
  // The body of a request that only reads is never read, and looking for one makes up a whole `Request`.
  const isLimited = ({ method, path }: HonoRequest) =>
    method !== 'GET' && method !== 'HEAD' && !path.startsWith(WEBHOOKS);
  app.use((c, next) => (isLimited(c.req) ? limitBody(c, next) : next()));

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
    dependencies.log[level]({ ...idsOf(c), error }, 'The request was not carried out');
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
