import { createHash, randomBytes } from 'node:crypto';
import type { Clock } from '../clock.ts';
import type { Credential } from '../auth/credential.ts';
import type { Credentials } from '../auth/credentials.ts';
import type { Person } from '../model/people.ts';
import type { Consumer } from './consumer.ts';

/** An error of the token endpoint, in its own words. */
export interface GrantError {
  error: string;
  error_description: string;
}

export interface TokenPair {
  access_token: string;
  /** Absent for `client_credentials`. */
  refresh_token?: string;
  token_type: 'bearer';
  expires_in: number;
  state: string;
  scopes: string;
}

interface Code {
  person: Person;
  scopes: readonly string[];
  redirectUri: string | null;
  challenge: string | null;
  expiresAtMs: number;
}

/** All tokens that come from one consent. */
interface Family {
  /** a used refresh token came again where that is not forgiven: it may be stolen, so all of them end (RFC 9700, 4.14.2) */
  revoked: boolean;
  readonly access: Credential[];
}

interface RefreshToken {
  person: Person;
  family: Family;
  scopes: readonly string[];
  expiresAtMs: number;
  /** When it was used first; null while fresh. */
  usedAtMs: number | null;
  revoked: boolean;
}

export interface Grants {
  issueCode(code: Omit<Code, 'expiresAtMs'>): string;
  exchange(input: {
    code: string;
    redirectUri: string | null;
    verifier: string | null;
  }): TokenPair | GrantError;
  refresh(token: string): TokenPair | GrantError;
  clientCredentials(): TokenPair;
  /** Ends every token of a person for the consumer, as when they revoke the grant. */
  revoke(personUuid: string): void;
}

const CODE_LIFETIME_MS = 600_000;
/** Three months (facts 1.1). */
const REFRESH_LIFETIME_MS = 90 * 86_400_000;
/** Tokens have more than 2,500 characters since the rotation (facts 1.1). */
const ACCESS_TOKEN_BYTES = 1_950;
const REFRESH_TOKEN_BYTES = 1_920;

export function isGrantError(answer: TokenPair | GrantError): answer is GrantError {
  return 'error' in answer;
}

/** Codes and tokens of one consumer. `leewayMs` null: a used refresh token is dead at once, and takes its family along. */
export function createGrants(options: {
  consumer: Consumer;
  credentials: Credentials;
  clock: Clock;
  accessTokenSeconds: number;
  leewayMs: number | null;
}): Grants {
  const { clock, consumer, leewayMs } = options;
  const codes = new Map<string, Code>();
  const refreshTokens = new Map<string, RefreshToken>();
  let issued = 0;

  function access(person: Person, scopes: readonly string[], state: string, family?: Family): TokenPair {
    issued += 1;
    const secret = randomBytes(ACCESS_TOKEN_BYTES).toString('base64url');
    const credential: Credential = {
      name: `oauth.${issued}`,
      kind: 'oauth',
      person,
      secret,
      scopes,
      expiresAtMs: clock.nowMs() + options.accessTokenSeconds * 1000,
      revoked: false,
      home: null,
      shows: `access token ${issued} of ${person.displayName}`,
    };
    options.credentials.add(credential);
    family?.access.push(credential);
    return {
      access_token: secret,
      token_type: 'bearer',
      expires_in: options.accessTokenSeconds,
      state,
      scopes: scopes.join(' '),
    };
  }

  function pair(person: Person, scopes: readonly string[], state: string, family: Family): TokenPair {
    const refresh_token = randomBytes(REFRESH_TOKEN_BYTES).toString('base64url');
    refreshTokens.set(refresh_token, {
      person,
      family,
      scopes,
      expiresAtMs: clock.nowMs() + REFRESH_LIFETIME_MS,
      usedAtMs: null,
      revoked: false,
    });
    return { ...access(person, scopes, state, family), refresh_token };
  }

  function end(family: Family): void {
    family.revoked = true;
    for (const credential of family.access) credential.revoked = true;
  }

  const invalid = (error_description: string): GrantError => ({ error: 'invalid_grant', error_description });

  /** PKCE S256, checked when a challenge was sent. */
  function verifierFits(code: Code, verifier: string | null): boolean {
    if (code.challenge === null) return true;
    if (verifier === null) return false;
    return createHash('sha256').update(verifier).digest('base64url') === code.challenge;
  }

  return {
    issueCode(code) {
      const text = randomBytes(24).toString('base64url');
      codes.set(text, { ...code, expiresAtMs: clock.nowMs() + CODE_LIFETIME_MS });
      return text;
    },
    exchange({ code: text, redirectUri, verifier }) {
      const code = codes.get(text);
      // One use, even a failing one.
      codes.delete(text);
      if (code === undefined || code.expiresAtMs <= clock.nowMs()) {
        return invalid('The specified code is not valid.');
      }
      if (code.redirectUri !== null && code.redirectUri !== redirectUri) {
        return invalid('The redirect_uri does not match the one of the authorization.');
      }
      if (!verifierFits(code, verifier)) return invalid('The code verifier is not valid.');
      return pair(code.person, code.scopes, 'authorization_code', { revoked: false, access: [] });
    },
    refresh(text) {
      const token = refreshTokens.get(text);
      const now = clock.nowMs();
      if (token === undefined || token.revoked || token.family.revoked || token.expiresAtMs <= now) {
        return invalid('The specified refresh token is not valid.');
      }
      if (token.usedAtMs !== null) {
        // The two behaviours seen in the wild (facts 1.1).
        if (leewayMs === null) {
          end(token.family);
          return { error: 'unauthorized_client', error_description: 'Invalid OAuth client credentials' };
        }
        if (now - token.usedAtMs > leewayMs) return invalid('The specified refresh token is not valid.');
      }
      token.usedAtMs ??= now;
      return pair(token.person, token.scopes, 'refresh_token', token.family);
    },
    clientCredentials: () => access(consumer.owner, consumer.scopes, 'client_credentials'),
    revoke(personUuid) {
      for (const token of refreshTokens.values()) if (token.person.uuid === personUuid) token.revoked = true;
      for (const credential of options.credentials.all()) {
        if (credential.kind === 'oauth' && credential.person.uuid === personUuid) credential.revoked = true;
      }
    },
  };
}
