import type { Secret } from './secret.ts';
import {
  associatedData,
  createSuite,
  ENCAPSULATED_LENGTH,
  INFO,
  SEAL_VERSION,
  type SealContext,
  type Sealed,
  TAG_LENGTH,
  toArrayBuffer,
} from './suite.ts';

export interface SealingPrivateKey {
  keyId: string;
  /** 32 bytes, base64url */
  privateKey: Secret;
}

/** The value does not open: it was changed, or belongs to another organization, owner or field. Says no more. */
export class SealRefused extends Error {
  override readonly name = 'SealRefused';
  readonly keyId: string;

  constructor(keyId: string) {
    super(`A secret sealed with key ${keyId} does not open in this place.`);
    this.keyId = keyId;
  }
}

/** The value was sealed with a key that this process does not hold. */
export class SealingKeyUnknown extends Error {
  override readonly name = 'SealingKeyUnknown';
  readonly keyId: string;

  constructor(keyId: string) {
    super(
      `A secret is sealed with key ${keyId}, which is not in the private key ring. Rotation keeps old keys: give the whole ring.`,
    );
    this.keyId = keyId;
  }
}

export interface Opener {
  /** Throws SealRefused or SealingKeyUnknown. */
  open(sealed: Sealed, context: SealContext): Promise<Uint8Array>;
}

/** Opens what `createSealer` sealed, with a ring of private keys. Only the worker has one. */
export function createOpener({ keys }: { keys: readonly SealingPrivateKey[] }): Opener {
  const suite = createSuite();
  const ring = new Map(keys.map((key) => [key.keyId, key]));
  // Every request opens a secret, and importing the key takes as long as opening.
  const imported = new Map<string, ReturnType<typeof suite.kem.deserializePrivateKey>>();

  function importKey({
    keyId,
    privateKey,
  }: SealingPrivateKey): ReturnType<typeof suite.kem.deserializePrivateKey> {
    const known = imported.get(keyId);
    if (known !== undefined) return known;
    const bytes = Buffer.from(privateKey.reveal(), 'base64url');
    const importing = suite.kem.deserializePrivateKey(toArrayBuffer(bytes));
    imported.set(keyId, importing);
    return importing;
  }

  return {
    async open({ keyId, sealed }, context) {
      const key = ring.get(keyId);
      if (key === undefined) throw new SealingKeyUnknown(keyId);
      const headLength = 1 + ENCAPSULATED_LENGTH;
      if (sealed[0] !== SEAL_VERSION || sealed.length < headLength + TAG_LENGTH) throw new SealRefused(keyId);
      const recipientKey = await importKey(key);
      try {
        const recipient = await suite.createRecipientContext({
          recipientKey,
          enc: toArrayBuffer(sealed.subarray(1, headLength)),
          info: toArrayBuffer(INFO),
        });
        return new Uint8Array(
          await recipient.open(
            toArrayBuffer(sealed.subarray(headLength)),
            toArrayBuffer(associatedData(context, keyId)),
          ),
        );
      } catch {
        // Why it does not open is nobody's business: an answer that tells helps only an attacker.
        throw new SealRefused(keyId);
      }
    },
  };
}
