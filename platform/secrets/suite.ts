import { Aes256Gcm, CipherSuite, DhkemX25519HkdfSha256, HkdfSha256 } from '@hpke/core';

/** Where a sealed value belongs. It opens in this place only: moved to another row or field it is refused. */
export interface SealContext {
  organizationId: string;
  /** the integration, or the connection check that a secret waits with */
  ownerId: string;
  /** e.g. `credential`, `oauth_code` */
  field: string;
}

/** A sealed value as it is stored: one version byte, the encapsulated key, the ciphertext with its tag. */
export interface Sealed {
  keyId: string;
  sealed: Uint8Array;
}

export const SEAL_VERSION = 1;
/** Length of an X25519 public key, which is what encapsulation gives (RFC 9180 section 7.1). */
export const ENCAPSULATED_LENGTH = 32;
/** Length of the tag of AES-256-GCM. */
export const TAG_LENGTH = 16;

const utf8 = new TextEncoder();

/** Tells our seals from any other use of the same key (`info` of RFC 9180). */
export const INFO = utf8.encode('bucket-brigade sealed secret 1');

/** HPKE (RFC 9180), base mode: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM. */
export const createSuite = (): CipherSuite =>
  new CipherSuite({ kem: new DhkemX25519HkdfSha256(), kdf: new HkdfSha256(), aead: new Aes256Gcm() });

/** A JSON array of strings: no two contexts share an encoding, whatever characters they hold. */
export const associatedData = (context: SealContext, keyId: string): Uint8Array =>
  utf8.encode(JSON.stringify([context.organizationId, context.ownerId, context.field, keyId]));

/** Its own buffer from the start: WebCrypto takes ArrayBuffers, and a Buffer is often a window of a pool. */
export const toArrayBuffer = (bytes: Uint8Array): ArrayBuffer => new Uint8Array(bytes).buffer;
