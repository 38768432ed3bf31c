import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { readText } from '../http/body.ts';

export interface ControlCall {
  request: IncomingMessage;
  response: ServerResponse;
  query: URLSearchParams;
}

/** `GET journal` and so on: method, then what follows `/_simulator/`. */
export type ControlRoutes = Record<string, (call: ControlCall) => Promise<void> | void>;

export function sendJson(response: ServerResponse, value: unknown, status = 200): void {
  response.writeHead(status, { 'content-type': 'application/json; charset=utf-8' });
  response.end(JSON.stringify(value));
}

/** The request's body; nothing at all counts as `{}`. */
export async function readJson(request: IncomingMessage): Promise<unknown> {
  const text = await readText(request);
  return JSON.parse(text === '' ? '{}' : text);
}

const CHUNK_CHARACTERS = 64 * 1024;

/** Writes lines as they come, waiting for a slow reader; ends early when the reader left. */
export async function streamLines(
  response: ServerResponse,
  lines: AsyncIterable<object> | Iterable<object>,
): Promise<void> {
  response.writeHead(200, { 'content-type': 'application/x-ndjson; charset=utf-8' });
  let chunk = '';
  for await (const line of lines) {
    chunk += `${JSON.stringify(line)}\n`;
    if (chunk.length < CHUNK_CHARACTERS) continue;
    if (response.destroyed) return;
    if (!response.write(chunk)) await once(response, 'drain');
    chunk = '';
  }
  response.end(chunk);
}
