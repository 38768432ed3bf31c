import type { Context } from 'hono';
import { Problem } from '../problem.ts';

/** Bitbucket sends 256 KB at most. */
export const WEBHOOK_BODY_LIMIT_BYTES = 512 * 1024;

const tooLarge = (): Problem =>
  new Problem({
    status: 413,
    code: 'body_too_large',
    detail: `The body is larger than ${WEBHOOK_BODY_LIMIT_BYTES} bytes.`,
    fix: 'Bitbucket sends no delivery of this size; check what sends to this address.',
  });

/** The bytes of the body as they came. Throws a 413 for more than the limit, without having read more than that. */
export async function rawBody(c: Context): Promise<Uint8Array> {
  const stated = c.req.header('Content-Length');
  if (stated !== undefined && c.req.header('Transfer-Encoding') === undefined) {
    if (Number(stated) > WEBHOOK_BODY_LIMIT_BYTES) throw tooLarge();
    // The HTTP parser holds the sender to the length that it stated.
    return new Uint8Array(await c.req.arrayBuffer());
  }
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of c.req.raw.body ?? []) {
    bytes += chunk.byteLength;
    if (bytes > WEBHOOK_BODY_LIMIT_BYTES) throw tooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
