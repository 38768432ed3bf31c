import { hkdfSync } from 'node:crypto';
import type { Secret } from './secret.ts';

/** Which secret of which integration: `generation` rises when it is rotated, from 1. */
export interface WebhookSecretOf {
  integrationId: string;
  generation: number;
}

/**
 * The secret that Bitbucket signs an integration's deliveries with: 256 bits in base64url, the text that is given to
 * Bitbucket and the key of the HMAC. Derived by HKDF-SHA256 (RFC 5869) from the installation's webhook key, so nobody has
 * to store it: the worker registers it and the api verifies with it, which holds nothing that opens a credential.
 *
 * @example
 * const secret = webhookSecret(config.webhookKey, { integrationId, generation: 1 });
 */
export function webhookSecret(key: Secret, { integrationId, generation }: WebhookSecretOf): string {
  const info = `bucket-brigade webhook secret, generation ${generation}`;
  const derived = hkdfSync('sha256', Buffer.from(key.reveal(), 'base64url'), integrationId, info, 32);
  return Buffer.from(derived).toString('base64url');
}
