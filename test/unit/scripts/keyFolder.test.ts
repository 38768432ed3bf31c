import { chmod, mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { generateKeys, KEY_FILES, listKeys, rotateKeys } from '../../../scripts/keys/keyFolder.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'keys-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const modeOf = async (name: string) => (await stat(join(folder, name))).mode & 0o777;

test('new keys are for their owner only', async () => {
  await generateKeys(folder);
  for (const name of Object.values(KEY_FILES)) expect(await modeOf(name)).toBe(0o600);
});

test('a folder of an older version gets the key it lacks, and keeps what it has', async () => {
  const { keyId } = await generateKeys(folder);
  const webhookKey = join(folder, KEY_FILES.webhookKey);
  await rm(webhookKey);
  const secretBefore = await readFile(join(folder, KEY_FILES.idempotencySecret), 'utf8');
  expect(await generateKeys(folder)).toEqual({ created: false, added: [KEY_FILES.webhookKey], keyId });
  const made = await readFile(webhookKey, 'utf8');
  expect(made).toMatch(/^[\w-]{43}$/);
  expect(await readFile(join(folder, KEY_FILES.idempotencySecret), 'utf8')).toBe(secretBefore);
  expect(await generateKeys(folder)).toMatchObject({ created: false, added: [] });
  expect(await readFile(webhookKey, 'utf8')).toBe(made);
});

test('rotations at once go one behind the other: what seals can be opened', async () => {
  const { keyId: first } = await generateKeys(folder);
  const made = await Promise.all([rotateKeys(folder), rotateKeys(folder)]);
  const { current, keys } = await listKeys(folder);
  const ids = keys.map(({ keyId }) => keyId);
  expect(ids.toSorted()).toEqual([first, ...made.map(({ keyId }) => keyId)].toSorted());
  expect(current).toBe(ids.at(-1));
});

test('a rotation keeps the modes, so containers that could read the keys still can', async () => {
  const { keyId: old } = await generateKeys(folder);
  await chmod(join(folder, KEY_FILES.privateKeys), 0o444);
  await chmod(join(folder, KEY_FILES.publicKey), 0o440);
  const { keyId, kept } = await rotateKeys(folder);
  expect(kept).toBe(1);
  expect(await listKeys(folder)).toMatchObject({ current: keyId, keys: [{ keyId: old }, { keyId }] });
  expect(await modeOf(KEY_FILES.privateKeys)).toBe(0o444);
  expect(await modeOf(KEY_FILES.publicKey)).toBe(0o440);
});
