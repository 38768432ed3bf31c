import type { IncomingMessage, ServerResponse } from 'node:http';
import type { LaunchedProcess } from '../../launcher/launchedProcess.ts';
import { exitOf, type GitProcesses } from './gitProcess.ts';

const HEADER_LIMIT = 16 * 1024;

/**
 * Answers one request of git's smart HTTP protocol through `git http-backend`, the CGI program that comes
 * with git. Reading only; everything else is 403, as for a user without write access. `body`: the request's, where it
 * was read already.
 */
export async function handleGitRequest(
  processes: GitProcesses,
  place: { folder: string; directory: string },
  request: IncomingMessage,
  response: ServerResponse,
  subPath: string,
  body?: Buffer,
): Promise<void> {
  const [pathname = '', query = ''] = splitOnce(subPath, '?');
  const asksRefs =
    pathname === '/info/refs' && new URLSearchParams(query).get('service') === 'git-upload-pack';
  const asksPack = pathname === '/git-upload-pack' && request.method === 'POST';
  if (!asksRefs && !asksPack) {
    request.resume();
    response.writeHead(403, { 'content-type': 'text/plain' }).end('Forbidden');
    return;
  }
  const environment = cgiEnvironment(place, request, pathname, query);
  const child = await processes.start(['http-backend'], { environment });
  child.stderr.resume();
  if (body === undefined) request.pipe(child.stdin);
  else child.stdin.end(body);
  const abandon = () => {
    // http-backend starts upload-pack, and both must go with the client.
    if (!response.writableFinished) child.kill('SIGKILL');
  };
  response.once('close', abandon);
  if (response.destroyed) abandon();
  try {
    await relay(child, response);
    await child.ended;
  } finally {
    request.unpipe(child.stdin);
    request.resume();
    response.off('close', abandon);
    if (!response.writableEnded) response.destroy();
  }
}

/** The same for an answer that is known to be small: as a whole, to be given again. */
export async function readGitAnswer(
  processes: GitProcesses,
  place: { folder: string; directory: string },
  request: IncomingMessage,
  subPath: string,
  body: Buffer,
): Promise<GitAnswer> {
  const [pathname = '', query = ''] = splitOnce(subPath, '?');
  const args = ['http-backend'];
  const child = await processes.start(args, { environment: cgiEnvironment(place, request, pathname, query) });
  const ended = exitOf(child, args);
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  child.stdin.end(body);
  await ended;
  const whole = Buffer.concat(chunks);
  const end = whole.indexOf('\r\n\r\n');
  if (end === -1) throw new Error('git http-backend answered without a header');
  return { ...readHead(whole.toString('latin1', 0, end)), body: whole.subarray(end + 4) };
}

export interface GitAnswer {
  status: number;
  headers: [name: string, value: string][];
  body: Buffer;
}

function splitOnce(text: string, mark: string): string[] {
  const at = text.indexOf(mark);
  return at === -1 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}

function cgiEnvironment(
  { folder, directory }: { folder: string; directory: string },
  request: IncomingMessage,
  pathname: string,
  query: string,
): Record<string, string> {
  const { headers } = request;
  const protocol = headers['git-protocol'];
  const optional = {
    CONTENT_TYPE: headers['content-type'],
    CONTENT_LENGTH: headers['content-length'],
    HTTP_CONTENT_ENCODING: headers['content-encoding'],
    HTTP_GIT_PROTOCOL: typeof protocol === 'string' ? protocol : undefined,
  };
  const given = Object.entries(optional).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return {
    GIT_PROJECT_ROOT: folder,
    GIT_HTTP_EXPORT_ALL: '1',
    PATH_INFO: `/${directory}${pathname}`,
    QUERY_STRING: query,
    REQUEST_METHOD: request.method ?? 'GET',
    REMOTE_ADDR: '127.0.0.1',
    ...Object.fromEntries(given),
  };
}

/** Turns the CGI header into an HTTP one and streams the rest at the pace of the client. */
async function relay(child: LaunchedProcess, response: ServerResponse): Promise<void> {
  let head: Buffer | null = Buffer.alloc(0);
  for await (const chunk of child.stdout) {
    let body: Buffer = chunk;
    if (head) {
      head = Buffer.concat([head, body]);
      const end = head.indexOf('\r\n\r\n');
      if (end === -1 && head.length < HEADER_LIMIT) continue;
      if (end === -1) throw new Error('git http-backend answered without a header');
      writeHead(response, head.toString('latin1', 0, end));
      body = head.subarray(end + 4);
      head = null;
    }
    if (response.destroyed) return;
    if (!response.write(body)) await drained(response);
  }
  if (head === null) response.end();
  else if (!response.destroyed) response.writeHead(500).end();
}

function readHead(text: string): Pick<GitAnswer, 'status' | 'headers'> {
  let status = 200;
  const headers: GitAnswer['headers'] = [];
  for (const line of text.split('\r\n')) {
    const [name = '', value = ''] = splitOnce(line, ':');
    if (name.toLowerCase() === 'status') status = Number.parseInt(value, 10);
    else headers.push([name, value.trim()]);
  }
  return { status, headers };
}

function writeHead(response: ServerResponse, text: string): void {
  const { status, headers } = readHead(text);
  for (const [name, value] of headers) response.setHeader(name, value);
  response.writeHead(status);
}

function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      response.off('drain', done);
      response.off('close', done);
      resolve();
    };
    response.once('drain', done);
    response.once('close', done);
  });
}
