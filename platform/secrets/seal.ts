import {
  associatedData,
  createSuite,
  INFO,
  SEAL_VERSION,
  type SealContext,
  type Sealed,
  toArrayBuffer,
} from './suite.ts';

export interface SealingPublicKey {
  keyId: string;
  /** 32 bytes, base64url */
  publicKey: string;
}

export interface Sealer {
  /** Seals for the holder of the private key; text as UTF-8. Nothing in this process can open it again. */
  seal(plaintext: Uint8Array | string, context: SealContext): Promise<Sealed>;
}

/** Seals secrets with a public key (HPKE). What the api holds: it can put secrets in and never take one out. */
export function createSealer({ keyId, publicKey }: SealingPublicKey): Sealer {
  const suite = createSuite();
  const recipientPublicKey = suite.kem.deserializePublicKey(
    toArrayBuffer(Buffer.from(publicKey, 'base64url')),
  );
  // A key that cannot be read is reported by the first `seal`, not as an unhandled rejection.
  recipientPublicKey.catch(() => {});

  return {
    async seal(plaintext, context) {
      const bytes = typeof plaintext === 'string' ? new TextEncoder().encode(plaintext) : plaintext;
      const sender = await suite.createSenderContext({
        recipientPublicKey: await recipientPublicKey,
        info: toArrayBuffer(INFO),
      });
      const ciphertext = await sender.seal(
        toArrayBuffer(bytes),
        toArrayBuffer(associatedData(context, keyId)),
      );
      const sealed = Buffer.concat([
        Uint8Array.of(SEAL_VERSION),
        new Uint8Array(sender.enc),
        new Uint8Array(ciphertext),
      ]);
      return { keyId, sealed: new Uint8Array(sealed) };
    },
  };
}
