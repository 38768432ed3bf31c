import { createHmac, type KeyObject, timingSafeEqual } from 'node:crypto';

/** `sha256=` and 64 hexadecimal digits, once: two headers reach us joined by a comma. */
const FORM = /^sha256=([0-9a-f]{64})$/i;

/** The MAC that an `X-Hub-Signature` header carries; null where it is missing, of another algorithm, or not one. */
export function signatureIn(header: string | undefined): Uint8Array | null {
  const hex = FORM.exec(header ?? '')?.[1];
  return hex === undefined ? null : Buffer.from(hex, 'hex');
}

/**
 * Whether one of the secrets made this signature: HMAC-SHA256 over the bytes of the body as they came, the secret's text
 * being the key (Bitbucket's "Manage webhooks"; its vectors are in the tests). Compared in constant time.
 */
export function isSignedBy(
  secrets: readonly (KeyObject | string)[],
  signature: Uint8Array,
  body: Uint8Array,
): boolean {
  let signed = false;
  for (const secret of secrets) {
    const expected = createHmac('sha256', secret).update(body).digest();
    if (expected.byteLength === signature.byteLength && timingSafeEqual(expected, signature)) signed = true;
  }
  return signed;
}
