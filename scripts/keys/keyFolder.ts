import { randomBytes } from 'node:crypto';
import { chmod, mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  privateKeysFile,
  publicKeyFile,
  type PrivateKeysFile,
  type PublicKeyFile,
} from '../../platform/secrets/keyFiles.ts';
import { createSuite } from '../../platform/secrets/suite.ts';
import { withOwnerLock } from '../setup/ownerLock.mjs';

/**
 * The files of a key folder. The api gets the public key and the idempotency secret, the worker the private keys, and both
 * the webhook key.
 */
export const KEY_FILES = {
  publicKey: 'sealing-public-key.json',
  privateKeys: 'sealing-private-keys.json',
  idempotencySecret: 'idempotency-secret',
  webhookKey: 'webhook-key',
} as const;

export interface KeyList {
  /** the key that new secrets are sealed with */
  current: string;
  keys: { keyId: string; createdAt: string }[];
}

/**
 * Makes the keys of an installation. A folder that has them already keeps them (`created: false`) and gets what an older
 * version did not make yet (`added`).
 */
export async function generateKeys(
  folder: string,
): Promise<{ created: boolean; added: string[]; keyId: string }> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  return alone(folder, async () => {
    const ring = await readRing(folder);
    if (ring !== undefined) {
      const added = await addMissing(folder);
      return { created: false, added, keyId: (await listKeys(folder)).current };
    }
    const { privateKey, publicKey } = await newKey();
    await save(folder, KEY_FILES.idempotencySecret, newSecret());
    await save(folder, KEY_FILES.webhookKey, newSecret());
    await save(folder, KEY_FILES.publicKey, json(publicKey));
    // The ring last: its presence says that the folder is whole.
    await save(folder, KEY_FILES.privateKeys, json({ keys: [privateKey] }));
    return { created: true, added: [], keyId: publicKey.key_id };
  });
}

/** Two at once would leave a public key whose private key is in no ring: what it sealed could never be opened. */
const alone = <T>(folder: string, work: () => Promise<T>): Promise<T> =>
  withOwnerLock(join(folder, 'keys.lock'), {}, work);

const newSecret = (): string => randomBytes(32).toString('base64url');

async function addMissing(folder: string): Promise<string[]> {
  if ((await modeOf(join(folder, KEY_FILES.webhookKey))) !== undefined) return [];
  await save(folder, KEY_FILES.webhookKey, newSecret());
  return [KEY_FILES.webhookKey];
}

/** Adds a key and makes it the one that seals. Old private keys stay: what they sealed must still open. */
export async function rotateKeys(folder: string): Promise<{ keyId: string; kept: number }> {
  await ringOf(folder);
  return alone(folder, async () => {
    const ring = await ringOf(folder);
    const { privateKey, publicKey } = await newKey();
    // The worker must know the key before anything is sealed with it.
    await save(folder, KEY_FILES.privateKeys, json({ keys: [...ring.keys, privateKey] }));
    await save(folder, KEY_FILES.publicKey, json(publicKey));
    return { keyId: publicKey.key_id, kept: ring.keys.length };
  });
}

export async function listKeys(folder: string): Promise<KeyList> {
  const ring = await ringOf(folder);
  const current: unknown = JSON.parse(await readFile(join(folder, KEY_FILES.publicKey), 'utf8'));
  return {
    current: publicKeyFile.parse(current).key_id,
    keys: ring.keys.map((key) => ({ keyId: key.key_id, createdAt: key.created_at })),
  };
}

async function ringOf(folder: string): Promise<PrivateKeysFile> {
  const ring = await readRing(folder);
  if (ring === undefined) throw new Error(`${folder} has no keys yet: run generate first.`);
  return ring;
}

async function newKey(): Promise<{ privateKey: PrivateKeysFile['keys'][number]; publicKey: PublicKeyFile }> {
  const { kem } = createSuite();
  const pair = await kem.generateKeyPair();
  const base64url = (raw: ArrayBuffer): string => Buffer.from(raw).toString('base64url');
  const createdAt = new Date().toISOString();
  const keyId = `${createdAt.slice(0, 10)}-${randomBytes(4).toString('hex')}`;
  return {
    privateKey: {
      key_id: keyId,
      private_key: base64url(await kem.serializePrivateKey(pair.privateKey)),
      created_at: createdAt,
    },
    publicKey: { key_id: keyId, public_key: base64url(await kem.serializePublicKey(pair.publicKey)) },
  };
}

async function readRing(folder: string): Promise<PrivateKeysFile | undefined> {
  try {
    const ring: unknown = JSON.parse(await readFile(join(folder, KEY_FILES.privateKeys), 'utf8'));
    return privateKeysFile.parse(ring);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

const json = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;

/**
 * Renamed into place, readable by its owner only from the first byte. A file that was there keeps its mode: compose
 * mounts these files into containers whose users are not their owner (docs/operations.md).
 */
async function save(folder: string, name: string, text: string): Promise<void> {
  const path = join(folder, name);
  const mode = await modeOf(path);
  await rm(`${path}.new`, { force: true });
  await writeFile(`${path}.new`, text, { mode: 0o600 });
  if (mode !== undefined) await chmod(`${path}.new`, mode);
  await rename(`${path}.new`, path);
}

async function modeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).mode & 0o777;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}
