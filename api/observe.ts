import type { MiddlewareHandler } from 'hono';
import { matchedRoutes } from 'hono/route';
import { Histogram, type Registry } from 'prom-client';
import type { ApiEnv } from './dependencies.ts';

/** Probes and scrapes come every few seconds and say nothing. */
const QUIET = new Set(['/livez', '/readyz', '/metrics']);
/** Deliveries come by the thousand, and what was stored has a row. */
const STORED = 202;
const RECEIVER = '/v1/webhooks/bitbucket/:token';

/** One log line and one measurement a request, by route pattern: never by address, which holds ids. */
export function observeRequests(metrics: Registry): MiddlewareHandler<ApiEnv> {
  const seconds = new Histogram({
    name: 'http_request_duration_seconds',
    help: 'Time until the answer began, by method, route and status.',
    labelNames: ['method', 'route', 'status'],
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10],
    registers: [metrics],
  });
  return async (c, next) => {
    const startedAt = performance.now();
    await next();
    const durationMs = performance.now() - startedAt;
    const route = matchedRoutes(c).findLast(({ method }) => method !== 'ALL')?.path ?? 'none';
    const { status } = c.res;
    seconds.observe({ method: c.req.method, route, status }, durationMs / 1_000);
    const isQuiet = QUIET.has(route) || (route === RECEIVER && status === STORED);
    c.var.log[isQuiet ? 'debug' : 'info'](
      { method: c.req.method, route, status, duration_ms: Math.round(durationMs * 10) / 10 },
      'Answered',
    );
  };
}
