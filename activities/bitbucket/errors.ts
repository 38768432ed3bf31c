import type { Finding } from '../../workflows/words.ts';

export type BitbucketErrorType =
  | 'AuthRefused'
  | 'CredentialUnusable'
  | 'CredentialReplaced'
  | 'ScopeMissing'
  | 'Forbidden'
  | 'RepositoryGone'
  | 'NotFound'
  | 'FeatureGone'
  | 'BadRequest'
  | 'RateLimited'
  | 'Upstream'
  | 'Unreachable'
  | 'InvalidResponse';

/**
 * Whether the same request may be sent again:
 * `never`: the answer will be the same until a person changes something;
 * `always`: it will pass by itself, however long it takes;
 * `limited`: worth a few attempts (`attempts` in a row), then somebody should see it; `readsOn`: each of them reads on, and
 * so is no progress;
 * `later`: not before `RateLimited.until`.
 */
export type Retry =
  | { kind: 'never' }
  | { kind: 'always' }
  | { kind: 'limited'; attempts: number; readsOn?: boolean }
  | { kind: 'later' };

/** What came back, as far as it may be shown and logged: never a body, never a header that carries a secret. */
export interface Refusal {
  finding: Finding;
  /** HTTP status, where there was an answer */
  status?: number;
  /** method-less path under the API base, without its query */
  path?: string;
  /** granted and accepted scopes as the headers gave them */
  scopes?: { granted?: string[]; accepted?: string[]; credentialType?: string };
  cause?: unknown;
}

/** Base of everything the Bitbucket client throws. `finding` is what a person may read. */
export abstract class BitbucketError extends Error {
  abstract readonly type: BitbucketErrorType;
  abstract readonly retry: Retry;
  readonly finding: Finding;
  readonly status: number | undefined;
  readonly path: string | undefined;
  readonly scopes: NonNullable<Refusal['scopes']>;

  constructor(refusal: Refusal) {
    super(refusal.finding.message, refusal.cause === undefined ? undefined : { cause: refusal.cause });
    this.finding = refusal.finding;
    this.status = refusal.status;
    this.path = refusal.path;
    this.scopes = refusal.scopes ?? {};
  }
}

/** 401: Bitbucket does not take the credential (wrong, expired, revoked, or a brownout: they look the same). */
export class AuthRefused extends BitbucketError {
  override readonly name = 'AuthRefused';
  readonly type = 'AuthRefused';
  readonly retry: Retry = { kind: 'never' };
}

/** The stored credential cannot sign at all: shredded, past its end, or its refresh token is spent. */
export class CredentialUnusable extends BitbucketError {
  override readonly name = 'CredentialUnusable';
  readonly type = 'CredentialUnusable';
  readonly retry: Retry = { kind: 'never' };
}

/** Another credential has taken the place of this one since the work began: the next attempt signs with that. */
export class CredentialReplaced extends BitbucketError {
  override readonly name = 'CredentialReplaced';
  readonly type = 'CredentialReplaced';
  readonly retry: Retry = { kind: 'always' };
}

/** 403 that names scopes: `finding.details` has `granted` and `required`. */
export class ScopeMissing extends BitbucketError {
  override readonly name = 'ScopeMissing';
  readonly type = 'ScopeMissing';
  readonly retry: Retry = { kind: 'never' };
}

/** 403 although the scopes suffice: the account lacks the role, or an allowlist or two-step rule blocks it. */
export class Forbidden extends BitbucketError {
  override readonly name = 'Forbidden';
  readonly type = 'Forbidden';
  readonly retry: Retry = { kind: 'never' };
}

/**
 * 404 on a repository or on a list that every repository has: deleted, moved, or not visible to this account.
 * One such answer proves nothing (whole workspaces answered 404 for 45 minutes on 2025-02-11).
 */
export class RepositoryGone extends BitbucketError {
  override readonly name = 'RepositoryGone';
  readonly type = 'RepositoryGone';
  readonly retry: Retry = { kind: 'never' };
}

/** 404 on anything else: a pull request, a workspace, a tracker that is turned off, a commit (`details.shas`). */
export class NotFound extends BitbucketError {
  override readonly name = 'NotFound';
  readonly type = 'NotFound';
  readonly retry: Retry = { kind: 'never' };
}

/** 410: Bitbucket removed this part of its API (`details.announcement` where it says which change). */
export class FeatureGone extends BitbucketError {
  override readonly name = 'FeatureGone';
  readonly type = 'FeatureGone';
  readonly retry: Retry = { kind: 'never' };
}

/** 400 and the other 4xx: this request will not do, e.g. `Invalid page` for a stored `next`. */
export class BadRequest extends BitbucketError {
  override readonly name = 'BadRequest';
  readonly type = 'BadRequest';
  readonly retry: Retry = { kind: 'never' };
}

/** `RateLimited.why` of a 429, as an operator reads it on the timer: `Bitbucket asked to wait; goes on 14:05 UTC`. */
export const REFUSED = 'Bitbucket asked to wait';
/** The same of a host that answers errors or nothing, whoever asks. */
export const FAILING = 'Bitbucket does not answer';
/** The same of an installation whose OAuth consumer does not work, so that it cannot renew any access. */
export const CONSUMER = 'The operator must check the OAuth consumer of this installation';
/** The same of the allowance that is used up. */
export const USED_UP = 'Bitbucket allowance';

/** 429, or a wait that an earlier 429 or `why` else orders. Not a failure: go on at `until`. */
export class RateLimited extends BitbucketError {
  override readonly name = 'RateLimited';
  readonly type = 'RateLimited';
  readonly retry: Retry = { kind: 'later' };
  /** ISO time, by Postgres' clock */
  readonly until: string;
  readonly why: string;

  constructor(refusal: Refusal & { until: string; why: string }) {
    super(refusal);
    this.until = refusal.until;
    this.why = refusal.why;
  }
}

/** Nobody wants the answer any more: what waited for the limit is not sent. Says nothing of Bitbucket, so it has no finding. */
export class NotWanted extends Error {
  override readonly name = 'NotWanted';
}

/** 5xx (555: Bitbucket ran out of time computing the answer). */
export class Upstream extends BitbucketError {
  override readonly name = 'Upstream';
  readonly type = 'Upstream';
  readonly retry: Retry = { kind: 'always' };
}

export type UnreachableStage = 'dns' | 'connect' | 'tls' | 'timeout' | 'reset';

/** No whole answer: `stage` says how far it came. */
export class Unreachable extends BitbucketError {
  override readonly name = 'Unreachable';
  readonly type = 'Unreachable';
  readonly retry: Retry = { kind: 'always' };
  readonly stage: UnreachableStage;
  /** true: the host cannot have seen anything of the request */
  readonly neverLeft: boolean;

  constructor(refusal: Refusal & { stage: UnreachableStage; neverLeft?: boolean }) {
    super(refusal);
    this.stage = refusal.stage;
    this.neverLeft = refusal.neverLeft ?? false;
  }
}

/** A success that cannot be read: cut off, no JSON, another shape, too large, a redirect or `next` that leads elsewhere. */
export class InvalidResponse extends BitbucketError {
  override readonly name = 'InvalidResponse';
  readonly type = 'InvalidResponse';
  readonly retry: Retry;

  /**
   * `lasting`: the same again will not help (a hostile `next`); otherwise a few attempts are worth it.
   * `readsOn`: a list that leads in circles or contradicts another, where reading on is no progress.
   */
  constructor(refusal: Refusal & { lasting?: boolean; readsOn?: boolean }) {
    super(refusal);
    const { lasting = false, readsOn = false } = refusal;
    this.retry = lasting ? { kind: 'never' } : { kind: 'limited', attempts: 5, readsOn };
  }
}
