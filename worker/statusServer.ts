import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Registry } from 'prom-client';

export interface StatusServer {
  /** the port that was taken */
  readonly port: number;
  close(): Promise<void>;
}

/** `GET /livez`, `/readyz` (503 until `isReady`) and `/metrics`. For probes: it never waits for anything. */
export async function startStatusServer(options: {
  host: string;
  port: number;
  metrics: Registry;
  isReady: () => boolean;
}): Promise<StatusServer> {
  const server = createServer((request, response) => {
    void answer(request.url ?? '', response, options).catch(() => response.destroy());
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, options.host, resolve);
  });
  return { port: portOf(server), close: () => close(server) };
}

async function answer(
  url: string,
  response: ServerResponse,
  { metrics, isReady }: { metrics: Registry; isReady: () => boolean },
): Promise<void> {
  const text = (status: number, body: string, type = 'text/plain; charset=utf-8') =>
    response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' }).end(body);
  switch (url.split('?')[0]) {
    case '/livez':
      return void text(200, 'ok\n');
    case '/readyz':
      return void (isReady() ? text(200, 'ok\n') : text(503, 'not ready\n'));
    case '/metrics':
      return void text(200, await metrics.metrics(), metrics.contentType);
    default:
      return void text(404, 'not found\n');
  }
}

function portOf(server: Server): number {
  const address = server.address();
  return isAddress(address) ? address.port : 0;
}

const isAddress = (address: string | AddressInfo | null): address is AddressInfo =>
  typeof address === 'object' && address !== null;

function close(server: Server): Promise<void> {
  server.closeAllConnections();
  return new Promise((resolve) => {
    server.close(() => resolve());
  });
}
