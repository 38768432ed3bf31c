import { Problem, notFound } from '../problem.ts';
import { deliveryFacts } from './deliveryFacts.ts';
import { deliveryId } from './deliveryId.ts';
import type { KnownHook } from './hookDirectory.ts';
import type { WebhookIntake } from './intake.ts';
import { isSignedBy, signatureIn } from './signature.ts';

/** A delivery as its HTTP request has it, whatever server read that. */
export interface DeliveryRequest {
  token: string;
  /** by name in small letters */
  header(name: string): string | undefined;
  /** the bytes as they came; asked for once, and only where something signed them. Throws a 413 */
  body(): Promise<Uint8Array>;
}

/** Event keys are a word, a colon and words: `pullrequest:comment_created`. */
const EVENT_KEY = /^[\w:.-]{1,100}$/;
const REQUEST_UUID = /^[\w{}-]{1,100}$/;
const ATTEMPT = /^[1-9]\d{0,3}$/;

/**
 * Stores a delivery; resolves when it is committed. Throws Problems: 404 (no such webhook, or not any more), 401 (not
 * signed by its secret), 400 (names no event), 413, 503 (Postgres does not take it).
 */
export async function receiveDelivery(intake: WebhookIntake, request: DeliveryRequest): Promise<void> {
  const hook = await intake.hooks.find(request.token);
  if (hook === null) throw notFound('webhook');
  const body = await verifiedBody(intake, request, hook);
  const eventKey = matching(EVENT_KEY, request.header('x-event-key'));
  if (eventKey === null) throw namesNoEvent();
  const stored = await intake.writer.store({
    organizationId: hook.organizationId,
    id: deliveryId(hook.webhookId, eventKey, body),
    webhookId: hook.webhookId,
    eventKey,
    requestUuid: matching(REQUEST_UUID, request.header('x-request-uuid')),
    attempt: Number(matching(ATTEMPT, request.header('x-attempt-number')) ?? 1),
    ...deliveryFacts(body),
    body,
  });
  if (!stored) throw notFound('webhook');
}

/** Reads a body only where something signed it, and gives it only where the hook's secret did. */
async function verifiedBody(
  intake: WebhookIntake,
  request: DeliveryRequest,
  hook: KnownHook,
): Promise<Uint8Array> {
  const signature = signatureIn(request.header('x-hub-signature'));
  if (signature === null) throw notSigned();
  const body = await request.body();
  if (isSignedBy(hook.secrets, signature, body)) return body;
  // The secret may be newer than what this process knows of the hook.
  const now = await intake.hooks.findAgain(request.token);
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
