import { z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import type { ApiApp, ApiEnv } from '../dependencies.ts';
import { operation } from '../operation.ts';
import { notFound, Problem } from '../problem.ts';
import { deliveryFacts } from '../webhooks/deliveryFacts.ts';
import { deliveryId } from '../webhooks/deliveryId.ts';
import type { KnownHook } from '../webhooks/hookDirectory.ts';
import { rawBody } from '../webhooks/rawBody.ts';
import { isSignedBy, signatureIn } from '../webhooks/signature.ts';

const route = operation({
  method: 'post',
  path: '/v1/webhooks/bitbucket/{token}',
  operationId: 'receiveWebhook',
  summary: 'Where Bitbucket delivers',
  description:
    'The token and the signature over the raw body are what lets a delivery in; it needs no API key. It is stored before it is answered, and taken up soon after.',
  tags: ['Webhooks'],
  role: null,
  request: { params: z.object({ token: z.string() }) },
  responses: { 202: { description: 'It is stored.' } },
  problems: [400, 401, 404, 413, 503],
  problemTexts: {
    400: 'It does not name its event.',
    401: 'It is not signed with the secret of this webhook.',
    404: 'No webhook has this token.',
    413: 'The body is larger than 512 KiB.',
    503: 'Postgres did not take it; `Retry-After` says when to deliver it again.',
  },
});

/** Event keys are a word, a colon and words: `pullrequest:comment_created`. */
const EVENT_KEY = /^[\w:.-]{1,100}$/;
const REQUEST_UUID = /^[\w{}-]{1,100}$/;
const ATTEMPT = /^[1-9]\d{0,3}$/;

export function addReceiveWebhook(app: ApiApp): void {
  app.openapi(route, async (c) => {
    const { hooks, writer } = c.var.intake;
    const { token } = c.req.valid('param');
    const hook = await hooks.find(token);
    if (hook === null) throw notFound('webhook');
    const body = await verifiedBody(c, token, hook);
    const eventKey = c.req.header('X-Event-Key') ?? '';
    if (!EVENT_KEY.test(eventKey)) throw namesNoEvent();
    const stored = await writer.store({
      organizationId: hook.organizationId,
      id: deliveryId(hook.webhookId, eventKey, body),
      webhookId: hook.webhookId,
      eventKey,
      requestUuid: matching(REQUEST_UUID, c.req.header('X-Request-UUID')),
      attempt: Number(matching(ATTEMPT, c.req.header('X-Attempt-Number')) ?? 1),
      ...deliveryFacts(body),
      body,
    });
    if (!stored) throw notFound('webhook');
    return c.body(null, 202);
  });
}

/** Reads a body only where something signed it, and gives it only where the hook's secret did. */
async function verifiedBody(c: Context<ApiEnv>, token: string, hook: KnownHook): Promise<Uint8Array> {
  const signature = signatureIn(c.req.header('X-Hub-Signature'));
  if (signature === null) throw notSigned();
  const body = await rawBody(c);
  if (isSignedBy(hook.secrets, signature, body)) return body;
  // The secret may be newer than what this process knows of the hook.
  const now = await c.var.intake.hooks.findAgain(token);
  if (now === null || now === hook || !isSignedBy(now.secrets, signature, body)) throw notSigned();
  return body;
}

const matching = (form: RegExp, header: string | undefined): string | null =>
  header !== undefined && form.test(header) ? header : null;

const notSigned = (): Problem =>
  new Problem({
    status: 401,
    code: 'signature_invalid',
    detail: 'The delivery carries no valid signature.',
    fix: 'Send one `X-Hub-Signature: sha256=HMAC` over the body with the secret that this webhook was registered with.',
    headers: { 'WWW-Authenticate': 'X-Hub-Signature realm="bucket-brigade"' },
  });

const namesNoEvent = (): Problem =>
  new Problem({
    status: 400,
    code: 'event_missing',
    detail: 'The delivery does not say which event it is about.',
    fix: 'Send the event key in `X-Event-Key`, for example repo:push.',
  });
