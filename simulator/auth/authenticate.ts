import { badLogin, badToken, expiredToken, forbidden } from '../http/errors.ts';
import { type Reply } from '../http/reply.ts';
import type { Clock } from '../clock.ts';
import type { Credential } from './credential.ts';
import type { Credentials } from './credentials.ts';

export type Authentication =
  | { kind: 'anonymous' }
  | { kind: 'known'; credential: Credential }
  | { kind: 'refused'; reply: Reply; credential: Credential | undefined };

export interface AuthenticateOptions {
  credentials: Credentials;
  clock: Clock;
  era: 'guide' | 'today';
  /** Whether account passwords are taken; never in the era of today. */
  passwordLogin: boolean;
}

/** Splits `Basic` credentials at the first colon; undefined when they are none. */
export function readBasic(header: string): { username: string; password: string } | undefined {
  const match = /^basic\s+(\S+)$/i.exec(header.trim());
  if (match?.[1] === undefined) return undefined;
  const text = Buffer.from(match[1], 'base64').toString('utf8');
  const colon = text.indexOf(':');
  return colon < 0 ? undefined : { username: text.slice(0, colon), password: text.slice(colon + 1) };
}

const API_TOKEN_PREFIX = 'ATATT';

/** Who sends a request to the API, by its `Authorization` header alone (facts 1). */
export function createAuthenticate(
  options: AuthenticateOptions,
): (header: string | undefined) => Authentication {
  const { credentials, clock } = options;
  const expired = (credential: Credential): boolean =>
    credential.expiresAtMs !== null && credential.expiresAtMs <= clock.nowMs();
  const refused = (reply: Reply, credential?: Credential): Authentication => ({
    kind: 'refused',
    reply,
    credential,
  });

  function apiToken(username: string, credential: Credential | undefined): Authentication {
    // One answer for all causes: they cannot be told apart (facts 1.6).
    if (
      credential?.kind !== 'api_token' ||
      credential.person.email.toLowerCase() !== username.toLowerCase() ||
      credential.scopes.length === 0 ||
      credential.revoked ||
      expired(credential)
    ) {
      return refused(badToken(), credential);
    }
    return { kind: 'known', credential };
  }

  function basic(username: string, password: string): Authentication {
    const credential = credentials.bySecret(password);
    if (password.startsWith(API_TOKEN_PREFIX)) return apiToken(username, credential);
    const own =
      credential !== undefined &&
      !credential.revoked &&
      (credential.person.username === username ||
        (credential.kind === 'password' && credential.person.email === username));
    if (!own || options.era === 'today') return refused(badLogin(), credential);
    if (credential.kind === 'app_password') return { kind: 'known', credential };
    if (credential.kind === 'password' && options.passwordLogin) {
      // The right password of an account with two-step verification: 403 without scope headers (facts 1.6).
      return credential.person.twoFactor ? refused(forbidden(), credential) : { kind: 'known', credential };
    }
    return refused(badLogin(), credential);
  }

  function bearer(secret: string): Authentication {
    const credential = credentials.bySecret(secret);
    if (credential === undefined || credential.revoked) return refused(badToken(), credential);
    if (credential.kind === 'oauth') {
      return expired(credential) ? refused(expiredToken(), credential) : { kind: 'known', credential };
    }
    if (credential.home === null || expired(credential)) return refused(badToken(), credential);
    return { kind: 'known', credential };
  }

  return (header) => {
    if (header === undefined || header.trim() === '') return { kind: 'anonymous' };
    const pair = readBasic(header);
    if (pair !== undefined) return basic(pair.username, pair.password);
    const token = /^bearer\s+(\S+)$/i.exec(header.trim())?.[1];
    return token === undefined ? refused(badLogin()) : bearer(token);
  };
}
