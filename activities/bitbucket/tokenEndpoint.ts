import * as oauth from 'oauth4webapi';
import { Secret } from '../../platform/secrets/secret.ts';
import { retryAfterSeconds } from './answerHeaders.ts';
import { consumerTrouble } from './consumerTrouble.ts';
import { BitbucketError, InvalidResponse, RateLimited, REFUSED, Upstream } from './errors.ts';
import { rateLimitedFinding } from './findings.ts';
import { send, type SendOptions } from './send.ts';

export interface TokenPair {
  accessToken: Secret;
  refreshToken: Secret;
  /** seconds from now */
  expiresInSeconds: number;
  /** Bitbucket says `scopes`, sometimes `scope`, in any order (facts 1.1) */
  scopes: string[] | null;
}

/** The token endpoint's own no, e.g. `invalid_grant`. `error` is the OAuth error code, never a description. */
export class GrantRefused extends Error {
  override readonly name = 'GrantRefused';
  readonly error: string;

  constructor(error: string) {
    super(`Bitbucket's token endpoint refused the grant (${error}).`);
    this.error = error;
  }
}

export interface TokenEndpoint {
  /** Throws GrantRefused, or a BitbucketError where there was no clear answer. */
  exchange(grant: { code: Secret; verifier: Secret; redirectUri: string }): Promise<TokenPair>;
  refresh(refreshToken: Secret): Promise<TokenPair>;
  /**
   * Whether it takes the installation's consumer at all, asked with a token that nobody has: `unauthorized_client` may speak
   * of either (facts 1.1). Throws a BitbucketError where there was no clear answer.
   */
  takesConsumer(): Promise<boolean>;
}

export interface TokenEndpointOptions {
  /** e.g. `https://bitbucket.org` */
  webUrl: string;
  /** the OAuth consumer of the installation */
  clientKey: string;
  clientSecret: Secret;
  /** for one call; must stay below the lock timeout of the refresh. Default 30,000 */
  deadlineMs?: number;
}

const DEFAULT_LIFE_SECONDS = 3_600; // the documented minimum, where an answer leaves `expires_in` out
const MAX_BYTES = 1_048_576;
const NOBODYS_TOKEN = 'nobodys-token';

export function createTokenEndpoint(options: TokenEndpointOptions): TokenEndpoint {
  const { webUrl, clientKey, clientSecret, deadlineMs = 30_000 } = options;
  const endpoint = new URL(`${webUrl}/site/oauth2/access_token`);
  const loopback = ['127.0.0.1', '[::1]', 'localhost'].includes(endpoint.hostname);
  const server: oauth.AuthorizationServer = { issuer: new URL(webUrl).origin, token_endpoint: endpoint.href };
  const client: oauth.Client = { client_id: clientKey };

  async function call(parameters: Record<string, string>): Promise<TokenPair> {
    if (endpoint.protocol !== 'https:' && !loopback) throw needsHttps(endpoint.host);
    const clientAuth = oauth.ClientSecretBasic(clientSecret.reveal());
    const { grant_type: grantType = '', ...rest } = parameters;
    try {
      const response = await oauth.genericTokenEndpointRequest(server, client, clientAuth, grantType, rest, {
        [oauth.customFetch]: (url, init) => exchangeWith(url, init, deadlineMs),
        // Plain http only to this very machine: the simulator.
        [oauth.allowInsecureRequests]: loopback,
      });
      return pairOf(await oauth.processGenericTokenEndpointResponse(server, client, response));
    } catch (error) {
      throw readError(error, endpoint.host);
    }
  }

  return {
    exchange: ({ code, verifier, redirectUri }) =>
      call({
        grant_type: 'authorization_code',
        code: code.reveal(),
        code_verifier: verifier.reveal(),
        // the same as at the start of the flow (RFC 6749 section 4.1.3)
        redirect_uri: redirectUri,
      }),
    refresh: (refreshToken) => call({ grant_type: 'refresh_token', refresh_token: refreshToken.reveal() }),
    async takesConsumer() {
      try {
        await call({ grant_type: 'refresh_token', refresh_token: NOBODYS_TOKEN });
      } catch (error) {
        if (!(error instanceof GrantRefused)) throw error;
        return error.error === 'invalid_grant';
      }
      return true;
    },
  };
}

/** One exchange through our own door: deadline and byte cap; clear statuses become errors before anything is parsed. */
async function exchangeWith(
  url: string,
  init: { method: string; headers: Record<string, string>; body?: unknown },
  deadlineMs: number,
): Promise<Response> {
  const request: SendOptions = {
    method: 'POST',
    headers: init.headers,
    body: String(init.body),
    signal: new AbortController().signal,
    deadlineMs,
    maxBytes: MAX_BYTES,
  };
  const { status, headers, bytes } = await send(new URL(url), request);
  if (status === 429) {
    const until = new Date(Date.now() + (retryAfterSeconds(headers) ?? 60) * 1000).toISOString();
    throw new RateLimited({ status, until, why: REFUSED, finding: rateLimitedFinding(until) });
  }
  if (status >= 500) {
    throw new Upstream({
      status,
      finding: {
        code: 'upstream_error',
        message: `Bitbucket's token endpoint answered ${String(status)}.`,
        remedy: 'The engine tries again by itself; see https://bitbucket.status.atlassian.com.',
      },
    });
  }
  return new Response(Buffer.from(bytes), { status, headers: plainHeaders(headers) });
}

/**
 * The body is whole and decoded by now: its transfer headers no longer speak of it. A challenge would hide the OAuth
 * error of the body from the library.
 */
function plainHeaders(headers: Headers): Headers {
  const kept = new Headers(headers);
  for (const name of ['content-encoding', 'content-length', 'transfer-encoding', 'www-authenticate']) {
    kept.delete(name);
  }
  return kept;
}

function pairOf(answer: oauth.TokenEndpointResponse): TokenPair {
  if (answer.refresh_token === undefined) throw unreadableTokens('has no refresh token');
  const scopes = [answer['scopes'], answer.scope].find((value) => typeof value === 'string');
  return {
    accessToken: new Secret(answer.access_token),
    refreshToken: new Secret(answer.refresh_token),
    expiresInSeconds: answer.expires_in ?? DEFAULT_LIFE_SECONDS,
    scopes: typeof scopes === 'string' ? scopes.split(/[\s,]+/).filter((scope) => scope !== '') : null,
  };
}

function needsHttps(host: string): RateLimited {
  return consumerTrouble({
    code: 'oauth_needs_https',
    message: `OAuth tokens are not sent to ${host} without encryption.`,
    remedy:
      'The operator must set BITBUCKET_WEB_URL to an https address; plain http is for this very machine only.',
  });
}

function unreadableTokens(what: string): InvalidResponse {
  return new InvalidResponse({
    finding: {
      code: 'unreadable_answer',
      message: `The answer of Bitbucket's token endpoint ${what}.`,
      remedy: 'The engine asks again; if it stays so, a proxy may change the answers.',
    },
  });
}

/** The library's errors carry the answer's body, so nothing of them but the error code goes on. */
function readError(error: unknown, host: string): Error {
  if (error instanceof BitbucketError) return error;
  if (error instanceof oauth.ResponseBodyError) return new GrantRefused(error.error);
  if (error instanceof oauth.OperationProcessingError) {
    // A 401 without an OAuth error in it: the consumer's key or secret is wrong.
    if (error.cause instanceof Response && error.cause.status === 401)
      return new GrantRefused('invalid_client');
    return unreadableTokens(`cannot be read (${error.code ?? 'no code'})`);
  }
  return new Error(`The request to the token endpoint of ${host} could not be made.`, { cause: error });
}
