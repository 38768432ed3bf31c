import { inspect } from 'node:util';
import { beforeAll, describe, expect, test } from 'vitest';
import { createOpener, SealingKeyUnknown, SealRefused } from '../../../platform/secrets/open.ts';
import { createSealer } from '../../../platform/secrets/seal.ts';
import { Secret } from '../../../platform/secrets/secret.ts';
import { createSuite, type Sealed } from '../../../platform/secrets/suite.ts';

async function makeKey(keyId: string) {
  const { kem } = createSuite();
  const pair = await kem.generateKeyPair();
  const text = (raw: ArrayBuffer): string => Buffer.from(raw).toString('base64url');
  return {
    public: { keyId, publicKey: text(await kem.serializePublicKey(pair.publicKey)) },
    private: { keyId, privateKey: new Secret(text(await kem.serializePrivateKey(pair.privateKey))) },
  };
}

const context = { organizationId: 'organization-a', ownerId: 'integration-1', field: 'credential' };
const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('utf8');

describe('sealing', () => {
  let one: Awaited<ReturnType<typeof makeKey>>;
  let other: Awaited<ReturnType<typeof makeKey>>;
  let sealed: Sealed;

  beforeAll(async () => {
    [one, other] = await Promise.all([makeKey('one'), makeKey('other')]);
    sealed = await createSealer(one.public).seal('schlüssel', context);
  });

  test('what is sealed opens in its own place', async () => {
    expect(text(await createOpener({ keys: [one.private] }).open(sealed, context))).toBe('schlüssel');
  });

  test('the same secret never looks the same twice, and shows nothing of itself', async () => {
    const again = await createSealer(one.public).seal('schlüssel', context);
    expect(Buffer.from(again.sealed).equals(Buffer.from(sealed.sealed))).toBe(false);
    expect(Buffer.from(sealed.sealed).includes('schlüssel')).toBe(false);
  });

  test.each([
    ['organization', { ...context, organizationId: 'organization-b' }],
    ['owner', { ...context, ownerId: 'integration-2' }],
    ['field', { ...context, field: 'oauth_code' }],
    ['border between two fields', { ...context, organizationId: 'organization-', ownerId: 'aintegration-1' }],
  ])('is refused in a place with another %s', async (_, elsewhere) => {
    await expect(createOpener({ keys: [one.private] }).open(sealed, elsewhere)).rejects.toThrow(SealRefused);
  });

  test('is refused when any byte was changed', async () => {
    const opener = createOpener({ keys: [one.private] });
    for (let at = 0; at < sealed.sealed.length; at += 1) {
      for (const bit of [1, 0x80]) {
        const changed = Uint8Array.from(sealed.sealed);
        changed[at]! ^= bit;
        await expect(opener.open({ ...sealed, sealed: changed }, context), `byte ${at}`).rejects.toThrow(
          SealRefused,
        );
      }
    }
  });

  test('is refused when cut at any length', async () => {
    const opener = createOpener({ keys: [one.private] });
    for (let length = 0; length < sealed.sealed.length; length += 1) {
      const cut = sealed.sealed.subarray(0, length);
      await expect(opener.open({ ...sealed, sealed: cut }, context)).rejects.toThrow(SealRefused);
    }
  });

  test('needs its own key: another one, or the same bytes under another key id, is refused', async () => {
    const ring = createOpener({ keys: [{ ...other.private, keyId: 'one' }] });
    await expect(ring.open(sealed, context)).rejects.toThrow(SealRefused);
    const renamed = createOpener({ keys: [{ ...one.private, keyId: 'renamed' }] });
    await expect(renamed.open({ ...sealed, keyId: 'renamed' }, context)).rejects.toThrow(SealRefused);
    await expect(createOpener({ keys: [other.private] }).open(sealed, context)).rejects.toThrow(
      SealingKeyUnknown,
    );
  });

  test('after a rotation old and new open with the whole ring', async () => {
    const opener = createOpener({ keys: [one.private, other.private] });
    const fresh = await createSealer(other.public).seal('new', context);
    expect(text(await opener.open(sealed, context))).toBe('schlüssel');
    expect(text(await opener.open(fresh, context))).toBe('new');
  });

  test('a public key that is none is refused when it is used', async () => {
    await expect(createSealer({ keyId: 'x', publicKey: 'AAAA' }).seal('a', context)).rejects.toThrow(/.+/);
  });
});

describe('Secret', () => {
  const canary = 'canary-4711';
  const secret = new Secret(canary);

  test.each<[string, () => unknown]>([
    ['a template', () => `<${secret as unknown as string}>`],
    ['String()', () => String(secret)],
    ['JSON', () => JSON.stringify({ deep: [secret] })],
    ['inspect', () => inspect({ deep: { secret } }, { depth: 9, showHidden: true })],
    ['keys and spread', () => JSON.stringify([Object.keys(secret), Object.assign({}, secret)])],
    ['a structured clone', () => inspect(structuredClone({ secret }), { showHidden: true })],
    ['the cause of an error', () => inspect(new Error('outer', { cause: secret }), { showHidden: true })],
  ])('hides in %s', (_, show) => {
    expect(show()).not.toContain(canary);
  });

  test('is revealed where it is used', () => {
    expect(secret.reveal()).toBe(canary);
  });
});
