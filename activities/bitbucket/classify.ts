import type { CredentialKind } from '../../workflows/words.ts';
import { scopeHeaders } from './answerHeaders.ts';
import type { ScopeHeaders } from './client.ts';
import {
  AuthRefused,
  BadRequest,
  type BitbucketError,
  FeatureGone,
  Forbidden,
  NotFound,
  RateLimited,
  REFUSED,
  RepositoryGone,
  ScopeMissing,
  Upstream,
} from './errors.ts';
import { invalidCredentials, missingScopesFinding, rateLimitedFinding } from './findings.ts';
import { tryJson } from './readJson.ts';
import { expandScopes } from './scopes.ts';
import type { RawAnswer } from './send.ts';

export interface Asked {
  /** under the API base, without query */
  path: string;
  kind: CredentialKind;
  /** 429 only: when the gate lets requests through again, ISO */
  blockedUntil: string | undefined;
  /** it was to change something */
  writes: boolean;
}

/**
 * Which error an answer of 400 or above is (facts 4.1, 4.2): from status, path, headers and the structured parts of
 * the body, never from its message text. Nothing of the body but scope names, hashes and URLs of announcements is kept.
 */
export function classify(answer: RawAnswer, asked: Asked): BitbucketError {
  const { status } = answer;
  const scopes = scopeHeaders(answer.headers);
  const base = { status, path: asked.path, scopes };
  if (status === 401) return new AuthRefused({ ...base, finding: invalidCredentials(asked.kind) });
  if (status === 403) return refused(answer, asked, scopes);
  if (status === 404) return missing(answer, asked, scopes);
  if (status === 410) return gone(answer, asked, scopes);
  if (status === 429) {
    const until = asked.blockedUntil ?? new Date(Date.now() + 60_000).toISOString();
    return new RateLimited({ ...base, until, why: REFUSED, finding: rateLimitedFinding(until) });
  }
  if (status >= 500) {
    return new Upstream({
      ...base,
      finding: {
        code: status === 555 ? 'answer_takes_too_long' : 'upstream_error',
        message: `Bitbucket answered ${String(status)} for ${asked.path}.`,
        remedy: 'The engine tries again by itself; see https://bitbucket.status.atlassian.com.',
      },
    });
  }
  const fields = fieldNames(at(tryJson(answer), 'error', 'fields'));
  return new BadRequest({
    ...base,
    finding: {
      code: 'request_refused',
      message: `Bitbucket answered ${String(status)} for ${asked.path}.`,
      remedy: 'The engine starts this part again where it can; if it stays so, please report it.',
      ...(fields.length === 0 ? {} : { details: { fields } }),
    },
  });
}

/** Which parts of a body were refused; what Bitbucket says of them is its own text, and may repeat what was sent. */
const fieldNames = (fields: unknown): string[] =>
  fields === null || typeof fields !== 'object'
    ? []
    : Object.keys(fields).filter((name) => /^[a-z_.]{1,40}$/.test(name));

/** Property of what may be anything. */
function at(value: unknown, ...keys: string[]): unknown {
  let found: unknown = value;
  for (const key of keys) {
    if (found === null || typeof found !== 'object' || !Object.hasOwn(found, key)) return undefined;
    found = Reflect.get(found, key);
  }
  return found;
}

const words = (value: unknown): string[] | undefined =>
  Array.isArray(value) && value.every((entry) => typeof entry === 'string') ? value : undefined;

function refused(answer: RawAnswer, asked: Asked, scopes: ScopeHeaders): BitbucketError {
  const base = { status: 403, path: asked.path, scopes };
  const doing = asked.writes ? 'change' : 'read';
  const body = tryJson(answer);
  const required = words(at(body, 'error', 'detail', 'required')) ?? requiredByHeaders(scopes);
  if (required !== undefined && required.length > 0) {
    const granted = words(at(body, 'error', 'detail', 'granted')) ?? scopes.granted ?? [];
    return new ScopeMissing({
      ...base,
      finding: missingScopesFinding(asked.kind, `To ${doing} ${asked.path}`, required, { granted, required }),
    });
  }
  return new Forbidden({
    ...base,
    finding: {
      code: 'forbidden',
      message: `Bitbucket does not let this account ${doing} ${asked.path}.`,
      remedy:
        'Give the account access in Bitbucket. A workspace that demands two-step verification or allows only some addresses refuses in the same way.',
    },
  });
}

/**
 * The accepted scopes are OAuth names even for other credentials, so they can be held against OAuth names only.
 * One of those listed is enough for the endpoint.
 */
function requiredByHeaders(scopes: ScopeHeaders): string[] | undefined {
  const { granted, accepted } = scopes;
  if (granted === undefined || accepted === undefined || accepted.length === 0) return undefined;
  if (granted.some((scope) => scope.endsWith(':bitbucket'))) return undefined;
  const all = expandScopes('oauth', granted);
  return accepted.some((scope) => all.has(scope)) ? undefined : accepted;
}

// A repository itself and lists that every repository has, empty or not.
const EVERY_REPOSITORY =
  /^\/repositories\/[^/]+\/[^/]+(\/(pullrequests(\/activity)?|commits|refs(\/(branches|tags))?|hooks))?\/?$/;
const TRACKER = /^\/repositories\/[^/]+\/[^/]+\/issues(\/|$)/;

function missing(answer: RawAnswer, asked: Asked, scopes: ScopeHeaders): BitbucketError {
  const base = { status: 404, path: asked.path, scopes };
  const body = tryJson(answer);
  const shas = words(at(body, 'error', 'data', 'shas')) ?? words(at(body, 'data', 'shas'));
  // Whoever says which commits it does not know shows the repository (facts 3.6).
  const knowsRepository = shas !== undefined && shas.length > 0;
  if (!knowsRepository && EVERY_REPOSITORY.test(asked.path)) {
    return new RepositoryGone({
      ...base,
      finding: {
        code: 'repository_gone',
        message: `Bitbucket does not show ${asked.path}: deleted, moved, or no longer visible to this account.`,
        remedy: 'Give the account access again, or take the repository out. What was imported stays.',
      },
    });
  }
  return new NotFound({
    ...base,
    finding: {
      code: 'not_found',
      message: `Bitbucket does not show ${asked.path}.`,
      remedy: 'It was deleted, or the account may not see it.',
      ...(shas === undefined ? {} : { details: { shas } }),
    },
  });
}

function gone(answer: RawAnswer, asked: Asked, scopes: ScopeHeaders): BitbucketError {
  const announcement = at(tryJson(answer), 'error', 'data', 'announcement_url');
  const details = typeof announcement === 'string' ? { details: { announcement } } : {};
  const tracker = TRACKER.test(asked.path);
  return new FeatureGone({
    status: 410,
    path: asked.path,
    scopes,
    finding: tracker
      ? {
          code: 'tickets_removed',
          message:
            'Bitbucket removed its issue tracker on 20 August 2026, so there are no tickets to import.',
          remedy: 'Nothing to do: repositories and pull requests are not affected.',
          ...details,
        }
      : {
          code: 'feature_removed',
          message: `Bitbucket removed ${asked.path} from its API.`,
          remedy: 'An update of the engine is needed; please report it.',
          ...details,
        },
  });
}
