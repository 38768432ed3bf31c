import type { LimitGroup } from '../../platform/requestLimits.ts';
import type { Asker } from './asker.ts';
import { answerDate, scopeHeaders } from './answerHeaders.ts';
import { classify } from './classify.ts';
import { Unreachable } from './errors.ts';
import { readJson, unreadable } from './readJson.ts';
import { type Content, contentOfGet, contentOfWrite } from './requestContent.ts';
import type { Permit, RequestGate } from './requestGate.ts';
import { send, type RawAnswer, type SendOptions } from './send.ts';
import type { Signature, Signer } from './signer.ts';
import { createUrlGuard } from './urlGuard.ts';
import type { SentRequest } from './usefulAnswers.ts';

/** Whose signature a request carries. The secret itself stays inside the client. */
export interface CredentialRef {
  organizationId: string;
  credentialId: string;
}

export interface BitbucketRequest {
  credential: CredentialRef;
  /** under the API base, with its query, e.g. `/repositories/x/y/pullrequests?pagelen=50` */
  path?: string;
  /** instead of `path`: an absolute URL that Bitbucket gave; refused unless it has our origin and path prefix */
  next?: string;
  /** with `path`: parameters too long for an address; the request becomes a POST of this form, which reads all the same */
  form?: string;
  /** for whom: decides who goes first and how imports share; default: work in the background */
  asker?: Asker;
  /** default: by path, `/repositories/` is `repository_data` */
  group?: LimitGroup;
  signal: AbortSignal;
  /** sent as If-None-Match; the answer is then 304 without `json` when nothing changed */
  etag?: string;
  /** called before a short wait for the limit, with the ISO time it ends */
  onWait?: (until: string) => void;
  /** the longest wait inside the call, milliseconds; a longer one throws RateLimited. Default 5,000 */
  maxWaitMs?: number;
  /** asked every second of a wait for the limit: false ends it with NotWanted, and the request is not sent */
  stillWanted?: () => Promise<boolean>;
  /** also with a credential that was refused several times in a row: to find out whether it still is, or to clear up */
  evenIfRefused?: boolean;
}

/**
 * A request that changes something at Bitbucket. Sent once: whoever does not hear how it ended looks first whether it was
 * done, before sending it again.
 */
export interface BitbucketWrite {
  credential: CredentialRef;
  method: 'POST' | 'PUT' | 'DELETE';
  /** under the API base */
  path: string;
  /** sent as JSON; a DELETE has none */
  body?: Record<string, unknown>;
  asker?: Asker;
  group?: LimitGroup;
  signal: AbortSignal;
  /** all three as of `BitbucketRequest` */
  maxWaitMs?: number;
  stillWanted?: () => Promise<boolean>;
  evenIfRefused?: boolean;
}

export interface ScopeHeaders {
  /** in the credential's own vocabulary, not expanded */
  granted?: string[];
  /** what the endpoint wants, in OAuth vocabulary */
  accepted?: string[];
  /** e.g. `api_token`, `workspace_access_token` */
  credentialType?: string;
}

export interface BitbucketAnswer {
  /** 200 or 304 */
  status: number;
  /** the parsed body; undefined for 304 */
  json: unknown;
  /** the body as it came */
  bytes: Uint8Array;
  /** true: no text of it needs an escape to be stored (`db/text.ts`), which spares looking at each */
  plain?: boolean;
  /** Postgres' clock when the request was taken: rows read from this answer are at least this new */
  observedAt: string;
  /** the Date header as ISO time */
  date: string | undefined;
  scopes: ScopeHeaders;
  etag?: string;
}

/**
 * Reads Bitbucket. Every API request goes through the one client behind it: gate (limits), sign, send, classify.
 * Who only reads is given no `BitbucketWriter`.
 */
export interface BitbucketClient {
  /**
   * Does not retry (Temporal does), apart from one refresh of an expired OAuth access token.
   * Throws the classes of `errors.ts` (NotWanted too), and the signal's reason when aborted.
   */
  get(request: BitbucketRequest): Promise<BitbucketAnswer>;
}

export interface BitbucketWriter {
  /**
   * Like `get`, but follows no redirect. After a 401 it is signed anew and sent once more: what was refused was not done.
   * Answers the JSON of a 200 or 201, undefined for a 204. An `Unreachable` that is not `neverLeft`, an `Upstream` and an
   * `InvalidResponse` leave open whether it was done.
   */
  write(request: BitbucketWrite): Promise<unknown>;
}

export interface BitbucketClientOptions {
  /** base of the API without a slash at the end, e.g. `https://api.bitbucket.org/2.0` */
  apiUrl: string;
  signer: Signer;
  gate: RequestGate;
  /** for one request, its whole body included; default 60,000 */
  deadlineMs?: number;
  /** default 32 MB */
  maxBytes?: number;
  /** told of every request that was sent, for metrics; `path` is that under the API base, without its query */
  onAnswer?: (answer: SentRequest & { path: string }) => void;
}

const MAX_REDIRECTS = 3;
const REDIRECTS = new Set([301, 302, 307, 308]);

export function createBitbucketClient(options: BitbucketClientOptions): BitbucketClient & BitbucketWriter {
  const { signer, gate, deadlineMs = 60_000, maxBytes = 32 * 1_048_576, onAnswer } = options;
  const guard = createUrlGuard(options.apiUrl);

  interface Sent {
    raw: RawAnswer;
    signature: Signature;
    observedAt: string;
    /** resolves when the answer is reported to the request budget */
    reported: Promise<{ blockedUntil?: string }>;
  }

  async function sendOnce(request: Signed, url: URL): Promise<Sent> {
    const { credential, signal, content, evenIfRefused = false } = request;
    const signature = await signer.sign(credential, signal, { evenIfRefused });
    const group = request.group ?? groupOf(guard.pathOf(url));
    const permit = await takePermit(request, group, signature);
    const raw = await sendWith({ permit, group, accountKey: signature.accountKey }, url, {
      ...content,
      headers: {
        authorization: signature.authorization.reveal(),
        accept: 'application/json',
        'user-agent': 'bucket-brigade',
        ...content.headers,
      },
      signal,
      maxBytes,
    });
    const reported = permit.answered(raw);
    // Met where it is awaited; until then a failure must not count as unhandled.
    reported.catch(() => {});
    return { raw, signature, observedAt: permit.observedAt, reported };
  }

  function takePermit(request: Signed, group: LimitGroup, { accountKey }: Signature): Promise<Permit> {
    const { asker, onWait, stillWanted, signal, maxWaitMs = 5_000 } = request;
    return gate.take({
      accountKey,
      group,
      signal,
      maxWaitMs,
      deadlineMs,
      ...(asker === undefined ? {} : { asker }),
      ...(onWait === undefined ? {} : { onWait }),
      ...(stillWanted === undefined ? {} : { stillWanted }),
    });
  }

  /** Sends within the permit's time. Where no connection came about, Bitbucket has counted nothing. */
  async function sendWith(
    { permit, group, accountKey }: { permit: Permit; group: LimitGroup; accountKey: string },
    url: URL,
    signed: Omit<SendOptions, 'deadlineMs'>,
  ): Promise<RawAnswer> {
    const { method = 'GET', body = '' } = signed;
    const asked = { path: guard.pathOf(url), asked: `${url.href} ${body}`, method, group, accountKey };
    try {
      const answer = await send(url, { ...signed, deadlineMs: permit.leftMs() });
      onAnswer?.({ ...asked, status: answer.status, bytes: answer.bytes });
      return answer;
    } catch (error) {
      onAnswer?.({ ...asked, status: null, bytes: null });
      if (error instanceof Unreachable) await (error.neverLeft ? permit.unsent() : permit.failed());
      throw error;
    }
  }

  /** Follows redirects inside the API (a renamed repository, a pull request's diffstat), each hop checked and counted. */
  async function sendFollowing(request: Signed, start: URL): Promise<Sent & { url: URL }> {
    let url = start;
    for (let hops = 0; ; hops += 1) {
      const sent = await sendOnce(request, url);
      if (!REDIRECTS.has(sent.raw.status)) return { ...sent, url };
      await sent.reported;
      const location = sent.raw.headers.get('location');
      if (location === null || hops === MAX_REDIRECTS) {
        throw unreadable(guard.pathOf(url), 'redirects without an end', { status: sent.raw.status });
      }
      url = guard.ofRedirect(location, url);
    }
  }

  /** A 401 is met once by a renewed secret, where there is one to renew. */
  async function renewing<S extends Sent>({ credential, signal }: Signed, go: () => Promise<S>): Promise<S> {
    const first = await go();
    if (first.raw.status !== 401) return first;
    await first.reported;
    if (!(await signer.renew(credential, first.signature.version, signal))) return first;
    const second = await go();
    if (second.raw.status === 401) signer.renewalDidNotHelp(credential, second.signature.version);
    return second;
  }

  /** What an answer says of the credential. An error of the host, or a limit, says nothing of it. */
  async function noteOf({ credential }: Signed, { raw: { status }, signature }: Sent): Promise<void> {
    if (status === 401) await signer.refused(credential);
    else if (signature.wasRefused && status < 500 && status !== 429) await signer.accepted(credential);
  }

  return {
    async get(request) {
      const start =
        request.next === undefined ? guard.ofPath(request.path ?? '/') : guard.ofNext(request.next);
      const signed = { ...request, content: contentOfGet(request) };
      const sent = await renewing(signed, () => sendFollowing(signed, start));
      await noteOf(signed, sent);
      const path = guard.pathOf(sent.url);
      if (sent.raw.status >= 400) await refuse(sent, { path, writes: false });
      try {
        // A large body is read while Postgres takes the report.
        return answerOf(request, sent, path);
      } finally {
        await sent.reported;
      }
    },

    async write(request) {
      const url = guard.ofPath(request.path);
      const signed = { ...request, content: contentOfWrite(request) };
      const sent = await renewing(signed, () => sendOnce(signed, url));
      await noteOf(signed, sent);
      const { raw } = sent;
      const path = guard.pathOf(url);
      if (raw.status >= 400) await refuse(sent, { path, writes: true });
      await sent.reported;
      if (raw.status === 204) return undefined;
      if (raw.status === 200 || raw.status === 201) return readJson(raw, path).json;
      throw unreadable(path, 'is neither done nor refused', { status: raw.status });
    },
  };

  async function refuse(
    { raw, signature, reported }: Sent,
    asked: { path: string; writes: boolean },
  ): Promise<never> {
    const { blockedUntil } = await reported;
    throw classify(raw, { ...asked, kind: signature.kind, blockedUntil });
  }

  function answerOf(request: BitbucketRequest, sent: Sent, path: string): BitbucketAnswer {
    const { raw, observedAt } = sent;
    const unchanged = raw.status === 304 && request.etag !== undefined;
    if (raw.status !== 200 && !unchanged) throw unreadable(path, 'has no content', { status: raw.status });
    const etag = raw.headers.get('etag');
    return {
      status: raw.status,
      ...(unchanged ? { json: undefined } : readJson(raw, path)),
      bytes: raw.bytes,
      observedAt,
      date: answerDate(raw.headers),
      scopes: scopeHeaders(raw.headers),
      ...(etag === null ? {} : { etag }),
    };
  }
}

type Signed = Omit<BitbucketRequest, 'path' | 'next' | 'form' | 'etag'> & { content: Content };

/** The limit that a request counts for, by its path under the API base. */
function groupOf(path: string): LimitGroup {
  if (/\/(hooks|hook_events)(\/|$)/.test(path)) return 'webhook_data';
  return path.startsWith('/repositories/') ? 'repository_data' : 'other';
}
