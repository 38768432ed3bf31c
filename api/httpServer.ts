import { getRequestListener } from '@hono/node-server';
import { createServer, type Server } from 'node:http';
import type { ApiApp, ApiDependencies } from './dependencies.ts';
import { directReceiver } from './webhooks/directReceiver.ts';

// Longer than load balancers keep an idle connection (60 s), so that they never send into one that we just closed.
const KEEP_ALIVE_MS = 75_000;
// Headers and body must arrive in time, or somebody holds connections open for nothing.
const HEADERS_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 15_000;
// How often Node looks for those that are late; its default would let them stay twice as long.
const LATE_CHECK_MS = 2_000;

/** The app behind plain HTTP/1.1, with the receiver of webhooks before it. Does not listen yet. */
export function createHttpServer(
  api: ApiApp,
  { intake, observe, log }: Pick<ApiDependencies, 'intake' | 'observe' | 'log'>,
): Server {
  const app = getRequestListener(api.fetch);
  return createServer(
    {
      keepAliveTimeout: KEEP_ALIVE_MS,
      headersTimeout: HEADERS_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      connectionsCheckingInterval: LATE_CHECK_MS,
    },
    directReceiver({ intake, observe, log }, (...exchange) => void app(...exchange)),
  );
}

/**
 * No new connections, then the requests under way: whose connection is not kept for a next one. What lasts longer than
 * `withinMs` is cut off.
 */
export async function closeHttpServer(server: Server, withinMs: number): Promise<void> {
  // Node closes what is idle at this moment; what becomes idle later it would keep for as long as ever.
  server.keepAliveTimeout = 1;
  const closed = new Promise((resolve) => void server.close(resolve));
  server.closeIdleConnections();
  const timer = setTimeout(() => server.closeAllConnections(), withinMs);
  await closed;
  clearTimeout(timer);
}
