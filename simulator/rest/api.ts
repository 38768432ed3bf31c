import type { IncomingMessage } from 'node:http';
import { accountKey } from '../auth/accountKey.ts';
import { CREDENTIAL_TYPE, type Credential, isAccessToken } from '../auth/credential.ts';
import type { Authentication } from '../auth/authenticate.ts';
import type { LimitState, RateLimits } from '../auth/rateLimit.ts';
import { expandScopes, type Requirement } from '../auth/scopes.ts';
import { readText } from '../http/body.ts';
import type { Call, Route } from '../http/call.ts';
import { forbidden, missingScopes, noRoute, rateLimited } from '../http/errors.ts';
import { applyFields, parseFields } from '../http/fields.ts';
import { type Reply, ReplyError } from '../http/reply.ts';
import { createRouter } from '../http/router.ts';

/** What the journal wants to know about one request. */
export interface Trace {
  credential: Credential | undefined;
  group: string | null;
}

export interface Api {
  /** `path` is what follows `/2.0`, still escaped. */
  answer(request: IncomingMessage, path: string, query: URLSearchParams, trace: Trace): Promise<Reply>;
}

/** `X-OAuth-Scopes` and its relatives (facts 1.5): on every answer, 403 and 404 included. */
function scopeHeaders(credential: Credential | null, needs: Requirement | undefined): Record<string, string> {
  const headers: Record<string, string> = {
    'x-credential-type': credential === null ? 'unauthenticated_identity' : CREDENTIAL_TYPE[credential.kind],
  };
  if (credential !== null) headers['x-oauth-scopes'] = credential.scopes.join(', ');
  if (needs !== undefined) headers['x-accepted-oauth-scopes'] = needs.oauth.join(', ');
  return headers;
}

/** Anonymous requests always get limit headers, access tokens get theirs, all others none (facts 4.3). */
function limitHeaders(credential: Credential | null, state: LimitState | null): Record<string, string> {
  if (state === null) return {};
  if (credential === null) {
    return {
      'x-ratelimit-limit': `${state.limit}, ${state.limit};w=3600`,
      'x-ratelimit-remaining': String(state.remaining),
      'x-ratelimit-reset': String(state.resetSeconds),
    };
  }
  if (!isAccessToken(credential)) return {};
  return {
    'x-ratelimit-limit': String(state.limit),
    'x-ratelimit-nearlimit': String(state.remaining < state.limit * 0.2),
    'x-ratelimit-resource': 'api',
  };
}

function lacks(credential: Credential | null, needs: Requirement): Reply | undefined {
  if (credential === null) return undefined;
  const required = credential.kind === 'api_token' ? needs.token : needs.oauth;
  const held = credential.kind === 'api_token' ? new Set(credential.scopes) : expandScopes(credential.scopes);
  return required.every((scope) => held.has(scope)) ? undefined : missingScopes(credential.scopes, required);
}

/** The REST API: authentication, limits, scopes, then the route. */
export function createApi(options: {
  apiUrl: string;
  routes: readonly Route[];
  authenticate(header: string | undefined): Authentication;
  limits: RateLimits;
  retryAfter(state: LimitState): Record<string, string>;
}): Api {
  const router = createRouter(options.routes);

  async function run(route: Route, call: Call): Promise<Reply> {
    try {
      return await route.handle(call);
    } catch (error) {
      if (error instanceof ReplyError) return error.reply;
      throw error;
    }
  }

  return {
    async answer(request, path, query, trace) {
      const who = options.authenticate(request.headers.authorization);
      if (who.kind === 'refused') {
        trace.credential = who.credential;
        return who.reply;
      }
      const credential = who.kind === 'known' ? who.credential : null;
      trace.credential = credential ?? undefined;
      const method = request.method === 'HEAD' ? 'GET' : (request.method ?? 'GET');
      const found = router.find(method, path);
      const needs = found?.route.needs;
      const headers = scopeHeaders(credential, needs);
      const group = credential === null ? 'anonymous' : (found?.route.group ?? 'none');
      trace.group = group;
      const state = options.limits.take(accountKey(credential, request), group);
      Object.assign(headers, limitHeaders(credential, state));
      const finish = (reply: Reply): Reply => ({ ...reply, headers: { ...headers, ...reply.headers } });
      if (state !== null && !state.allowed) {
        const reply = rateLimited();
        return finish({ ...reply, headers: { ...reply.headers, ...options.retryAfter(state) } });
      }
      if (found === undefined) return finish(noRoute());
      const refusal =
        found.route.usersOnly === true && credential !== null && isAccessToken(credential)
          ? forbidden()
          : lacks(credential, found.route.needs);
      if (refusal !== undefined) return finish(refusal);
      const fields = parseFields(query.get('fields'));
      const reply = await run(found.route, {
        method,
        base: `${options.apiUrl}${path}`,
        params: found.params,
        query,
        actor: credential,
        fields,
        header: (name) => {
          const value = request.headers[name];
          return Array.isArray(value) ? value.join(', ') : value;
        },
        body: () => readText(request),
      });
      return finish(reply.status === 200 ? { ...reply, body: applyFields(reply.body, fields) } : reply);
    },
  };
}
