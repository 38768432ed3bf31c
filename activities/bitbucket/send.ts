import { InvalidResponse, Unreachable, type UnreachableStage } from './errors.ts';

/** What came over the wire, whole. */
export interface RawAnswer {
  status: number;
  headers: Headers;
  bytes: Uint8Array;
}

export interface SendOptions {
  method?: 'GET' | 'POST' | 'PUT' | 'DELETE';
  headers: Record<string, string> | Headers;
  body?: string;
  signal: AbortSignal;
  /** for connecting, headers and the whole body together */
  deadlineMs: number;
  maxBytes: number;
}

export type Send = (url: URL, options: SendOptions) => Promise<RawAnswer>;

class DeadlinePassed extends Error {}

/**
 * One HTTP exchange: follows nothing, retries nothing, reads the body up to a cap, and ends within the deadline.
 * Throws Unreachable or InvalidResponse, and the signal's reason when aborted.
 */
export const send: Send = async (url, options) => {
  options.signal.throwIfAborted();
  const abort = new AbortController();
  const onAbort = (): void => abort.abort(options.signal.reason);
  options.signal.addEventListener('abort', onAbort, { once: true });
  const timer = setTimeout(() => abort.abort(new DeadlinePassed()), options.deadlineMs);
  try {
    const response = await fetch(url, {
      method: options.method ?? 'GET',
      headers: options.headers,
      ...(options.body === undefined ? {} : { body: options.body }),
      redirect: 'manual',
      signal: abort.signal,
    });
    const bytes = await readBody(response, options.maxBytes, url);
    return { status: response.status, headers: response.headers, bytes };
  } catch (error) {
    options.signal.throwIfAborted();
    throw networkError(error, url, options.deadlineMs);
  } finally {
    clearTimeout(timer);
    options.signal.removeEventListener('abort', onAbort);
    abort.abort(); // lets go of a body that was not read to its end
  }
};

async function readBody(response: Response, maxBytes: number, url: URL): Promise<Uint8Array> {
  if (response.body === null) return new Uint8Array();
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
    length += chunk.byteLength;
    if (length > maxBytes) throw tooLarge(url, maxBytes);
    chunks.push(chunk);
  }
  return new Uint8Array(Buffer.concat(chunks, length));
}

function tooLarge(url: URL, maxBytes: number): InvalidResponse {
  return new InvalidResponse({
    finding: {
      code: 'answer_too_large',
      message: `${url.host} sent more than ${String(maxBytes / 1_048_576)} MB in one answer.`,
      remedy: 'The engine asks again a few times; if it stays so, tell us which repository.',
    },
  });
}

function codeOf(error: unknown): string {
  for (let at: unknown = error, depth = 0; at instanceof Error && depth < 6; depth += 1) {
    if ('code' in at && typeof at.code === 'string' && at.code !== '') return at.code;
    // happy eyeballs: one error for each address tried
    at = at instanceof AggregateError ? at.errors[0] : at.cause;
  }
  return '';
}

const STAGES: readonly [RegExp, UnreachableStage][] = [
  [/^(ENOTFOUND|EAI_)/, 'dns'],
  [/^(ETIMEDOUT|UND_ERR_(CONNECT|HEADERS|BODY)_TIMEOUT)$/, 'timeout'],
  [/^(ERR_TLS|ERR_SSL|EPROTO|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|HOSTNAME_MISMATCH|CRL_|OCSP_)/, 'tls'],
  [/^(ECONNRESET|EPIPE|UND_ERR_SOCKET|UND_ERR_ABORTED|UND_ERR_DESTROYED|UND_ERR_CLOSED)$/, 'reset'],
];

/** No connection came about, so nothing of the request has left this machine. */
const NEVER_LEFT =
  /^(ENOTFOUND|EAI_\w+|ECONNREFUSED|EHOSTUNREACH|ENETUNREACH|EADDRNOTAVAIL|UND_ERR_CONNECT_TIMEOUT)$/;

/** Bytes that are no HTTP, a body shorter or longer than announced, bad compression. */
const GARBAGE =
  /^(HPE_|UND_ERR_RES_CONTENT_LENGTH|UND_ERR_RESPONSE|Z_|ERR_STREAM_PREMATURE|ERR__ERROR_FORMAT|UND_ERR_HEADERS_OVERFLOW)/;

const SAYS: Record<UnreachableStage, [message: (host: string) => string, remedy: string]> = {
  dns: [
    (host) => `The name ${host} could not be resolved.`,
    'Check BITBUCKET_API_URL and the DNS of the machine that the worker runs on.',
  ],
  connect: [
    (host) => `${host} does not take connections.`,
    'Check the network, the firewall and BITBUCKET_API_URL; see https://bitbucket.status.atlassian.com.',
  ],
  tls: [
    (host) => `The encrypted connection to ${host} could not be set up.`,
    'A proxy that replaces certificates, an expired certificate or a wrong scheme in the address are the usual causes.',
  ],
  timeout: [
    (host) => `${host} did not answer in time.`,
    'Check the network and https://bitbucket.status.atlassian.com; the engine tries again by itself.',
  ],
  reset: [
    (host) => `The connection to ${host} broke off in the middle.`,
    'The engine tries again by itself; if it stays so, check the network and proxies in between.',
  ],
};

function networkError(error: unknown, url: URL, deadlineMs: number): Error {
  if (error instanceof InvalidResponse) return error;
  const code = error instanceof DeadlinePassed ? 'deadline' : codeOf(error);
  if (GARBAGE.test(code)) {
    return new InvalidResponse({
      cause: error,
      finding: {
        code: 'unreadable_answer',
        message: `${url.host} sent an answer that is no sound HTTP (${code}).`,
        remedy: 'The engine asks again a few times; a proxy in between is the usual cause.',
      },
    });
  }
  const stage: UnreachableStage =
    code === 'deadline' ? 'timeout' : (STAGES.find(([form]) => form.test(code))?.[1] ?? 'connect');
  const [message, remedy] = SAYS[stage];
  return new Unreachable({
    stage,
    neverLeft: NEVER_LEFT.test(code),
    cause: error,
    finding: {
      code: 'host_unreachable',
      message: message(url.host),
      remedy,
      details: { stage, host: url.host, ...(code === 'deadline' ? { deadline_ms: deadlineMs } : { code }) },
    },
  });
}
