import { spawn } from 'node:child_process';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface GitServer {
  readonly url: string;
  /** every request: method and address, and whether it was signed */
  readonly requests: { line: string; signed: boolean }[];
  /** what the next requests are answered with instead, by status; `reset` cuts the connection after some bytes */
  fault: number | 'reset' | null;
  close(): Promise<void>;
}

export interface GitServerOptions {
  /** bare repositories lie at `<root>/<workspace>/<slug>.git` */
  root: string;
  username: string;
  password: string;
}

/**
 * Smart HTTP for tests by git's own `http-backend`, with one user. Nothing of the simulator: where a test needs only a git
 * server, a fault in the simulator must not show here.
 */
export async function startGitServer(options: GitServerOptions): Promise<GitServer> {
  const wanted = `Basic ${Buffer.from(`${options.username}:${options.password}`).toString('base64')}`;
  const state: Omit<GitServer, 'url' | 'close'> = { requests: [], fault: null };
  const server = createServer((request, response) => {
    const signed = request.headers.authorization === wanted;
    state.requests.push({ line: `${request.method} ${request.url}`, signed });
    if (typeof state.fault === 'number') response.writeHead(state.fault).end('fault');
    else if (!signed) response.writeHead(401, { 'WWW-Authenticate': 'Basic realm="git"' }).end();
    else serve(request, response, options.root, () => state.fault === 'reset');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return Object.assign(state, {
    url: `http://127.0.0.1:${port}`,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  });
}

function serve(request: IncomingMessage, response: ServerResponse, root: string, cut: () => boolean): void {
  const { pathname, search } = new URL(request.url ?? '/', 'http://localhost');
  const backend = spawn('git', ['http-backend'], {
    env: {
      PATH: process.env['PATH'],
      GIT_PROJECT_ROOT: root,
      GIT_HTTP_EXPORT_ALL: '1',
      GIT_CONFIG_COUNT: '1',
      GIT_CONFIG_KEY_0: 'safe.directory',
      GIT_CONFIG_VALUE_0: '*',
      PATH_INFO: decodeURIComponent(pathname),
      QUERY_STRING: search.slice(1),
      REQUEST_METHOD: request.method,
      CONTENT_TYPE: request.headers['content-type'] ?? '',
      HTTP_CONTENT_ENCODING: request.headers['content-encoding'] ?? '',
      HTTP_GIT_PROTOCOL: String(request.headers['git-protocol'] ?? ''),
      REMOTE_USER: 'tester',
    },
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  request.pipe(backend.stdin).on('error', () => {});
  let head = Buffer.alloc(0);
  let open = false;
  backend.stdout.on('data', (piece: Buffer) => {
    if (open) {
      response.write(piece);
      if (cut()) response.destroy();
      return;
    }
    head = Buffer.concat([head, piece]);
    const end = head.indexOf('\r\n\r\n');
    if (end === -1) return;
    open = true;
    const headers = head
      .toString('latin1', 0, end)
      .split('\r\n')
      .map((line): [string, string] => [
        line.slice(0, line.indexOf(':')),
        line.slice(line.indexOf(':') + 1).trim(),
      ]);
    const status = Number(headers.find(([key]) => key === 'Status')?.[1].slice(0, 3) ?? 200);
    response.writeHead(status, Object.fromEntries(headers.filter(([key]) => key !== 'Status')));
    response.write(head.subarray(end + 4));
  });
  backend.stdout.on('end', () => response.end());
  backend.on('error', () => response.destroy());
}
