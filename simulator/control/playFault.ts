import type { ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { badLogin, expiredToken, rateLimited } from '../http/errors.ts';
import { htmlReply, jsonReply, type Reply } from '../http/reply.ts';
import type { Fault } from './faults.ts';

/** The answer a fault gives instead of the host's; undefined when it only bends the host's own answer. */
export function faultReply(fault: Fault, nowMs: number): Reply | undefined {
  switch (fault.kind) {
    case 'rate_limit': {
      const reply = rateLimited();
      const date = new Date(nowMs + fault.seconds * 1000).toUTCString();
      const values = { none: undefined, seconds: String(fault.seconds), date };
      const value = values[fault.retry_after];
      return value === undefined ? reply : { ...reply, headers: { ...reply.headers, 'retry-after': value } };
    }
    case 'status':
      return { status: fault.status, headers: { 'content-type': fault.content_type }, body: fault.body };
    case 'wrong_shape':
      return jsonReply('{"values":{"surprise":[1,2,3]},"pagelen":"many"}');
    case 'empty_list':
      return jsonReply('{"pagelen":50,"size":0,"page":1,"values":[]}');
    case 'html':
      return htmlReply(
        '<!DOCTYPE html><html><body><h1>We will be back soon</h1></body></html>',
        fault.status,
      );
    case 'expired_token':
      return expiredToken();
    case 'brownout':
      return badLogin();
    default:
      return undefined;
  }
}

/** Whether a fault decides how the bytes of an answer travel; `writeBent` then writes them. */
export const bendsBytes = (fault: Fault): boolean =>
  ['truncate', 'slow_body', 'drip', 'silence', 'endless_body', 'bad_gzip'].includes(fault.kind);

/** Writes an answer the way a fault bends it. */
export async function writeBent(response: ServerResponse, reply: Reply, fault: Fault): Promise<void> {
  const body = Buffer.from(reply.body, 'utf8');
  const head = { ...reply.headers, 'content-length': String(body.length) };
  switch (fault.kind) {
    case 'truncate':
      response.writeHead(reply.status, head);
      response.write(body.subarray(0, Math.floor(body.length * fault.share)), () => response.destroy());
      return;
    case 'silence':
      response.writeHead(reply.status, head);
      response.flushHeaders();
      return;
    case 'bad_gzip':
      response.writeHead(reply.status, { ...reply.headers, 'content-encoding': 'gzip' });
      response.end(badGzip(body, fault.how));
      return;
    case 'endless_body':
      response.writeHead(reply.status, reply.headers);
      return writeEndless(response);
    case 'drip':
      response.writeHead(reply.status, head);
      return writeSlowly(response, body, body.length, fault.ms);
    case 'slow_body':
      response.writeHead(reply.status, head);
      return writeSlowly(response, body, 10, fault.ms / 10);
    default:
      throw new Error(`a fault ${fault.kind} does not bend answers`);
  }
}

function badGzip(body: Buffer, how: 'garbage' | 'cut' | 'checksum'): Buffer {
  if (how === 'garbage') return body;
  const packed = gzipSync(body);
  if (how === 'cut') return packed.subarray(0, Math.floor(packed.length / 2));
  // CRC-32 and length are the last eight bytes (RFC 1952).
  const at = packed.length - 8;
  packed[at] = (packed[at] ?? 0) ^ 0xff;
  return packed;
}

const FILLER = Buffer.alloc(64 * 1024, ' ');

function* withoutEnd(): Iterable<Buffer> {
  yield Buffer.from('{"pagelen":50,"values":[');
  for (;;) yield FILLER;
}

/** As fast as the reader takes it, until it leaves. */
const writeEndless = (response: ServerResponse): Promise<void> =>
  pipeline(Readable.from(withoutEnd()), response).catch((error: unknown) => {
    const left = error instanceof Error && 'code' in error && error.code === 'ERR_STREAM_PREMATURE_CLOSE';
    if (!left) throw error;
  });

async function writeSlowly(
  response: ServerResponse,
  body: Buffer,
  parts: number,
  pauseMs: number,
): Promise<void> {
  for (let part = 0; part < parts; part += 1) {
    if (response.destroyed) return;
    response.write(
      body.subarray(Math.floor((body.length * part) / parts), Math.floor((body.length * (part + 1)) / parts)),
    );
    await sleep(pauseMs);
  }
  response.end();
}
