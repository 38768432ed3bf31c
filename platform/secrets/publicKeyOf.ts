import { createPrivateKey, createPublicKey } from 'node:crypto';
import type { SealingPublicKey } from './seal.ts';
import type { Secret } from './secret.ts';

/** PKCS #8 of an X25519 key up to its 32 raw bytes (RFC 8410). */
const PKCS8_HEAD = Buffer.from('302e020100300506032b656e04220420', 'hex');

/** The public half of a private key: who can open can also seal, so the worker needs no second setting. */
export function publicKeyOf(key: { keyId: string; privateKey: Secret }): SealingPublicKey {
  const raw = Buffer.from(key.privateKey.reveal(), 'base64url');
  const privateKey = createPrivateKey({
    key: Buffer.concat([PKCS8_HEAD, raw]),
    format: 'der',
    type: 'pkcs8',
  });
  const { x } = createPublicKey(privateKey).export({ format: 'jwk' });
  if (x === undefined) throw new Error(`The sealing key ${key.keyId} is no X25519 key.`);
  return { keyId: key.keyId, publicKey: x };
}
