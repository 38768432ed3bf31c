import { z } from 'zod';

/** The files of `npm run keys`, and what SEALING_PUBLIC_KEY and SEALING_PRIVATE_KEYS hold. */

const keyId = z.string().regex(/^[A-Za-z0-9_-]{1,40}$/);
/** 32 bytes of X25519 in base64url */
const rawKey = z.string().regex(/^[A-Za-z0-9_-]{43}$/);

export const publicKeyFile = z.strictObject({ key_id: keyId, public_key: rawKey });
export type PublicKeyFile = z.infer<typeof publicKeyFile>;

/** Newest last; rotation adds one, and old ones stay as long as anything is sealed with them. */
export const privateKeysFile = z.strictObject({
  keys: z.array(z.strictObject({ key_id: keyId, private_key: rawKey, created_at: z.iso.datetime() })).min(1),
});
export type PrivateKeysFile = z.infer<typeof privateKeysFile>;
