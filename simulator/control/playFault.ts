import { setTimeout as sleep } from 'node:timers/promises';
import type { ServerResponse } from 'node:http';
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

/** Writes an answer the way a fault bends it. */
export async function writeBent(response: ServerResponse, reply: Reply, fault: Fault): Promise<void> {
  const body = Buffer.from(reply.body, 'utf8');
  const head = { ...reply.headers, 'content-length': String(body.length) };
  if (fault.kind === 'truncate') {
    response.writeHead(reply.status, head);
    response.write(body.subarray(0, Math.floor(body.length * fault.share)), () => response.destroy());
    return;
  }
  if (fault.kind !== 'slow_body') throw new Error(`a fault ${fault.kind} does not bend answers`);
  response.writeHead(reply.status, head);
  const parts = 10;
  for (let part = 0; part < parts; part += 1) {
    if (response.destroyed) return;
    response.write(
      body.subarray(Math.floor((body.length * part) / parts), Math.floor((body.length * (part + 1)) / parts)),
    );
    await sleep(fault.ms / parts);
  }
  response.end();
}
