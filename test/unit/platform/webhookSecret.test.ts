import { createHmac } from 'node:crypto';
import { expect, test } from 'vitest';
import { Secret } from '../../../platform/secrets/secret.ts';
import { webhookSecret } from '../../../platform/secrets/webhookSecret.ts';

const KEY = Buffer.alloc(32, 7);
const key = new Secret(KEY.toString('base64url'));
const INTEGRATION = '01990000-0000-7000-8000-000000000001';

/** RFC 5869 with HMAC-SHA256, for the 32 bytes that one round of it gives. */
function hkdf(inputKey: Uint8Array, salt: string, info: string): string {
  const extracted = createHmac('sha256', salt).update(inputKey).digest();
  return createHmac('sha256', extracted).update(`${info}\u0001`).digest('base64url');
}

test('a secret is HKDF-SHA256 of the key, with the integration as salt and the generation as info', () => {
  expect(webhookSecret(key, { integrationId: INTEGRATION, generation: 1 })).toBe(
    hkdf(KEY, INTEGRATION, 'bucket-brigade webhook secret, generation 1'),
  );
});

test('every integration, generation and key has another one, always the same', () => {
  const other = new Secret(Buffer.alloc(32, 8).toString('base64url'));
  const secrets = [
    webhookSecret(key, { integrationId: INTEGRATION, generation: 1 }),
    webhookSecret(key, { integrationId: INTEGRATION, generation: 2 }),
    webhookSecret(key, { integrationId: INTEGRATION.replace(/1$/, '2'), generation: 1 }),
    webhookSecret(other, { integrationId: INTEGRATION, generation: 1 }),
  ];
  expect(new Set(secrets).size).toBe(4);
  for (const secret of secrets) expect(secret).toMatch(/^[\w-]{43}$/);
  expect(webhookSecret(key, { integrationId: INTEGRATION, generation: 1 })).toBe(secrets[0]);
});
