import { createHash, randomBytes } from 'node:crypto';

/** 256 random bits, in characters that need no escaping in a URL. */
export const oneTimeToken = (): string => randomBytes(32).toString('base64url');

/** What is stored of a one-time token. It has 256 bits, so a plain hash cannot be guessed. */
export const tokenHash = (token: string): Uint8Array => createHash('sha256').update(token).digest();

/** RFC 7636: 43 characters, and their S256 challenge. */
export function pkcePair(): { verifier: string; challenge: string } {
  const verifier = oneTimeToken();
  return { verifier, challenge: createHash('sha256').update(verifier).digest('base64url') };
}

/** The one address that Bitbucket sends browsers back to; a constant of the installation, never from a request. */
export const callbackUrl = (publicUrl: string): string => `${publicUrl}/v1/oauth/callback`;
