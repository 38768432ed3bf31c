import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes } from 'node:crypto';
import type { Secret } from '../platform/secrets/secret.ts';

const IV_LENGTH = 12;
const TAG_LENGTH = 16;

export interface AnswerBox {
  /** A keyed hash: bodies carry secrets, so a plain hash could be guessed from outside. */
  fingerprint(...parts: string[]): Buffer;
  /** base64 of IV, tag and ciphertext (AES-256-GCM); `context` is authenticated with it */
  close(text: string, context: string): string;
  open(box: string, context: string): string;
}

/** Keeps answers of idempotent requests unreadable at rest: they may hold an OAuth `state` or personal data. */
export function createAnswerBox(secret: Secret): AnswerBox {
  const key = (purpose: string): Buffer =>
    Buffer.from(hkdfSync('sha256', secret.reveal(), '', `bucket-brigade idempotency ${purpose}`, 32));
  const fingerprintKey = key('fingerprint');
  const answerKey = key('answer');

  return {
    fingerprint: (...parts) => createHmac('sha256', fingerprintKey).update(JSON.stringify(parts)).digest(),

    close(text, context) {
      const iv = randomBytes(IV_LENGTH);
      const cipher = createCipheriv('aes-256-gcm', answerKey, iv).setAAD(Buffer.from(context));
      const ciphertext = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
      return Buffer.concat([iv, cipher.getAuthTag(), ciphertext]).toString('base64');
    },

    open(box, context) {
      const bytes = Buffer.from(box, 'base64');
      const decipher = createDecipheriv('aes-256-gcm', answerKey, bytes.subarray(0, IV_LENGTH), {
        authTagLength: TAG_LENGTH,
      });
      decipher.setAAD(Buffer.from(context));
      decipher.setAuthTag(bytes.subarray(IV_LENGTH, IV_LENGTH + TAG_LENGTH));
      return (
        decipher.update(bytes.subarray(IV_LENGTH + TAG_LENGTH), undefined, 'utf8') + decipher.final('utf8')
      );
    },
  };
}
