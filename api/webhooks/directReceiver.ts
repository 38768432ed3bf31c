import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Logger } from '../../platform/log.ts';
import { RECEIVER, type RequestObserver } from '../observe.ts';
import { problemResponse } from '../problem.ts';
import { problemOf } from '../problemOf.ts';
import { requestIdOf } from '../requestId.ts';
import { SECURITY_HEADERS } from '../securityHeaders.ts';
import type { WebhookIntake } from './intake.ts';
import { WEBHOOK_BODY_LIMIT_BYTES } from './rawBody.ts';
import { receiveDelivery } from './receive.ts';

/** The receiver's address, with a token that has no character to be decoded. */
const ADDRESS = /^\/v1\/webhooks\/bitbucket\/([\w-]{43})$/;

/**
 * Takes deliveries from Node's server itself; everything else goes to `otherwise`. To turn a request into the web's
 * Request, streams and Response took more than twice as long as to verify and store 8 KB. Only what looks like a delivery
 * to a webhook of ours is taken, so the app alone says what is wrong with others, before a byte of their body is read.
 */
export function directReceiver(
  of: { intake: WebhookIntake; observe: RequestObserver; log: Logger },
  otherwise: RequestListener,
): RequestListener {
  return (request, response) => {
    const token = looksLikeDelivery(request) ? ADDRESS.exec(request.url ?? '')?.[1] : undefined;
    if (token === undefined) return otherwise(request, response);
    of.intake.hooks.find(token).then(
      (hook) => (hook === null ? otherwise(request, response) : void answer(of, token, request, response)),
      // It looks once more, and says what is wrong.
      () => otherwise(request, response),
    );
  };
}

function looksLikeDelivery({ method, headers }: IncomingMessage): boolean {
  const length = headers['content-length'];
  return (
    method === 'POST' &&
    headers['transfer-encoding'] === undefined &&
    headers['expect'] === undefined &&
    length !== undefined &&
    Number(length) <= WEBHOOK_BODY_LIMIT_BYTES &&
    headers['x-hub-signature'] !== undefined
  );
}

async function answer(
  { intake, observe, log }: Parameters<typeof directReceiver>[0],
  token: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const startedAt = performance.now();
  const requestId = requestIdOf(headerOf(request, 'x-request-id'));
  let status = 202;
  try {
    await receiveDelivery(intake, {
      token,
      header: (name) => headerOf(request, name),
      body: () => bodyOf(request),
    });
    response.writeHead(status, { ...SECURITY_HEADERS, 'X-Request-Id': requestId, 'Content-Length': '0' });
    response.end();
  } catch (error) {
    if (request.destroyed && !request.complete) return;
    const problem = problemOf(error);
    ({ status } = problem);
    log[status >= 500 ? 'error' : 'debug'](
      { request_id: requestId, error },
      'The request was not carried out',
    );
    const said = problemResponse(problem, requestId);
    response.writeHead(status, {
      ...SECURITY_HEADERS,
      ...Object.fromEntries(said.headers),
      'X-Request-Id': requestId,
    });
    response.end(await said.text());
  }
  observe({
    method: 'POST',
    route: RECEIVER,
    status,
    startedAt,
    ids: { request_id: requestId },
  });
}

function headerOf({ headers }: IncomingMessage, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value.join(', ') : value;
}

/** The parser holds the sender to the length that it stated. Rejects when the sender goes away before. */
function bodyOf(request: IncomingMessage): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => void chunks.push(chunk));
    request.once('end', () => resolve(chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks)));
    request.once('error', reject);
    request.once('close', () => reject(new Error('The sender went away before the end of its body.')));
  });
}
