import { createHmac, randomBytes } from 'node:crypto';

/** One event for one hook, as it was when the event happened. */
export interface Delivery {
  event: string;
  /** uuid of the repository it is about */
  repository: string;
  /** uuid of the hook, in braces */
  hook: string;
  url: string;
  secret: string | null;
  /** the same for every attempt and copy */
  requestUuid: string;
  /** the host's clock at the event */
  timeMs: number;
  /** the raw bytes, as text */
  body: string;
}

/** What came back: a status, or why none did (`timeout`, or the socket's error code). */
export interface Attempt {
  number: number;
  /** the host's clock when it was sent */
  time_ms: number;
  status: number | null;
  error: string | null;
  duration_ms: number;
}

/** `sha256=<hex>` over the raw body (facts 5.3). */
export const signatureOf = (secret: string, body: string): string =>
  `sha256=${createHmac('sha256', secret).update(body, 'utf8').digest('hex')}`;

/** The headers of one attempt (facts 5.3). */
function headersOf(delivery: Delivery, attempt: number): Record<string, string> {
  return {
    'content-type': 'application/json',
    'user-agent': 'Bitbucket-Webhooks/2.0',
    'x-event-key': delivery.event,
    'x-hook-uuid': delivery.hook.replaceAll(/[{}]/g, ''),
    'x-request-uuid': delivery.requestUuid,
    'x-attempt-number': String(attempt),
    'x-event-time': new Date(delivery.timeMs).toUTCString(),
    'x-b3-traceid': randomBytes(16).toString('hex'),
    'x-b3-spanid': randomBytes(8).toString('hex'),
    'x-b3-sampled': '1',
    ...(delivery.secret === null ? {} : { 'x-hub-signature': signatureOf(delivery.secret, delivery.body) }),
  };
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause: unknown = error.cause;
  if (cause instanceof Error) return 'code' in cause ? String(cause.code) : cause.message;
  return error.message;
}

/** Sends once. Never throws; redirects are answers like any other. `stop` ends it early. */
export async function sendOnce(
  delivery: Delivery,
  options: { number: number; timeoutMs: number; nowMs: number; stop: AbortSignal },
): Promise<Attempt> {
  const started = performance.now();
  const outcome = await post(delivery, options);
  const duration = Math.round((performance.now() - started) * 10) / 10;
  return { number: options.number, time_ms: options.nowMs, ...outcome, duration_ms: duration };
}

async function post(
  delivery: Delivery,
  { number, timeoutMs, stop }: { number: number; timeoutMs: number; stop: AbortSignal },
): Promise<Pick<Attempt, 'status' | 'error'>> {
  const ending = new AbortController();
  const end = (): void => ending.abort(new Error('stopped'));
  const timer = setTimeout(() => ending.abort(new Error('timeout')), timeoutMs);
  stop.addEventListener('abort', end);
  try {
    const response = await fetch(delivery.url, {
      method: 'POST',
      redirect: 'manual',
      headers: headersOf(delivery, number),
      body: delivery.body,
      signal: ending.signal,
    });
    // Read to its end, so that the connection can be used again.
    await response.arrayBuffer();
    return { status: response.status, error: null };
  } catch (error) {
    return { status: null, error: reasonOf(error) };
  } finally {
    clearTimeout(timer);
    stop.removeEventListener('abort', end);
  }
}
