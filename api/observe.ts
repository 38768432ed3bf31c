import type { MiddlewareHandler } from 'hono';
import { matchedRoutes } from 'hono/route';
import { Histogram, type Registry } from 'prom-client';
import type { Logger } from '../platform/log.ts';
import type { ApiEnv } from './dependencies.ts';
import { idsOf, type RequestIds } from './requestLog.ts';

/** Probes and scrapes come every few seconds and say nothing. */
const QUIET = new Set(['/livez', '/readyz', '/metrics']);
/** Deliveries come by the thousand, and what was stored has a row. */
const STORED = 202;
export const RECEIVER = '/v1/webhooks/bitbucket/:token';

/** Notes a request that was answered. `startedAt`: of `performance.now()`. */
export type RequestObserver = (request: {
  method: string;
  /** its pattern: never its address, which holds ids */
  route: string;
  status: number;
  startedAt: number;
  /** which request it was, and whose */
  ids: RequestIds;
}) => void;

/** One log line and one measurement a request. To be made once for a registry. */
export function createRequestObserver(metrics: Registry, log: Logger): RequestObserver {
  // The lines have no field that could hold a secret, and to look for one took longer than to write them.
  const lines = log.child({}, { redact: [] });
  const seconds = new Histogram({
    name: 'http_request_duration_seconds',
    help: 'Time until the answer began, by method, route and status.',
    labelNames: ['method', 'route', 'status'],
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10],
    registers: [metrics],
  });
  return ({ method, route, status, startedAt, ids }) => {
    const durationMs = performance.now() - startedAt;
    seconds.observe({ method, route, status }, durationMs / 1_000);
    if (QUIET.has(route) || (route === RECEIVER && status === STORED)) return;
    const duration = Math.round(durationMs * 10) / 10;
    lines.info({ ...ids, method, route, status, duration_ms: duration }, 'Answered');
  };
}

export function observeRequests(observe: RequestObserver): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    const startedAt = performance.now();
    await next();
    const route = matchedRoutes(c).findLast(({ method }) => method !== 'ALL')?.path ?? 'none';
    observe({ method: c.req.method, route, status: c.res.status, startedAt, ids: idsOf(c) });
  };
}
