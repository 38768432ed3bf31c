import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  ConfigError,
  loadApiConfig,
  loadOperatorConfig,
  loadWorkerConfig,
} from '../../../platform/config.ts';
import { createOpener } from '../../../platform/secrets/open.ts';
import { createSealer } from '../../../platform/secrets/seal.ts';
import { generateKeys, KEY_FILES, listKeys, rotateKeys } from '../../../scripts/keys/keyFolder.ts';

let folder: string;
let api: Record<string, string>;
let worker: Record<string, string>;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bucket-brigade-config-'));
  await generateKeys(folder);
  api = {
    DATABASE_URL: 'postgres://bucket_brigade_api:hush@127.0.0.1:5432/bucket_brigade',
    PUBLIC_URL: 'https://ingestion.example.com/',
    SEALING_PUBLIC_KEY_FILE: join(folder, KEY_FILES.publicKey),
    IDEMPOTENCY_KEY_SECRET_FILE: join(folder, KEY_FILES.idempotencySecret),
    WEBHOOK_KEY_FILE: join(folder, KEY_FILES.webhookKey),
  };
  worker = {
    DATABASE_URL: 'postgres://bucket_brigade_worker:hush@127.0.0.1:5432/bucket_brigade',
    SEALING_PRIVATE_KEYS_FILE: join(folder, KEY_FILES.privateKeys),
    WEBHOOK_KEY_FILE: join(folder, KEY_FILES.webhookKey),
    CLONE_FOLDER: join(folder, 'clones'),
  };
});

afterAll(() => rm(folder, { recursive: true, force: true }));

const problemsOf = (load: () => unknown): readonly string[] => {
  try {
    load();
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
};

describe('configuration', () => {
  test('needs little: the rest has defaults', () => {
    const config = loadApiConfig(api);
    expect(config).toMatchObject({
      port: 4400,
      taskQueue: 'ingestion',
      publicUrl: 'https://ingestion.example.com',
      temporal: { address: '127.0.0.1:7233', namespace: 'default' },
      bitbucket: {
        apiUrl: 'https://api.bitbucket.org/2.0',
        webUrl: 'https://bitbucket.org',
        oauthKey: undefined,
      },
    });
    expect(loadWorkerConfig(worker).bitbucket.passwordLogin).toBe(false);
    expect(loadWorkerConfig(worker).publicWebhookUrl).toBeUndefined();
  });

  test('discoveries come every six hours, or as often as they are told to, or not at all', () => {
    const between = (more: Record<string, string>) =>
      loadWorkerConfig({ ...worker, ...more }).discoveryIntervalMs;
    expect(between({})).toBe(6 * 60 * 60_000);
    expect(between({ DISCOVERY_INTERVAL_MS: '3600000' })).toBe(60 * 60_000);
    expect(between({ DISCOVERY_INTERVAL_MS: '0' })).toBe(0);
  });

  test('lists everything wrong at once, each with its remedy', () => {
    const problems = problemsOf(() =>
      loadApiConfig({ PORT: '70000', LOG_LEVEL: 'loud', PUBLIC_URL: 'ftp://x' }),
    );
    expect(problems.map((problem) => problem.split(/[: ]/)[0])).toEqual(
      expect.arrayContaining([
        'DATABASE_URL',
        'PORT',
        'LOG_LEVEL',
        'PUBLIC_URL',
        'SEALING_PUBLIC_KEY',
        'IDEMPOTENCY_KEY_SECRET',
        'WEBHOOK_KEY',
      ]),
    );
    for (const problem of problems) expect(problem).toMatch(/(Set it to|Run "npm run keys)/);
  });

  test('Bitbucket delivers to the address of the api, or to one of its own', () => {
    const at = { ...worker, PUBLIC_URL: 'https://ingestion.example.com/' };
    expect(loadWorkerConfig(at).publicWebhookUrl).toBe('https://ingestion.example.com');
    const apart = { ...at, PUBLIC_WEBHOOK_URL: 'https://hooks.example.com' };
    expect(loadWorkerConfig(apart).publicWebhookUrl).toBe('https://hooks.example.com');
  });

  test('clones lie where the worker was told to put them, wherever git runs', () => {
    const { cloneFolder } = loadWorkerConfig({ ...worker, CLONE_FOLDER: 'data/clones' });
    expect(cloneFolder).toBe(join(process.cwd(), 'data', 'clones'));
  });

  test('an empty value counts as not set', () => {
    expect(problemsOf(() => loadApiConfig({ ...api, DATABASE_URL: '' }))[0]).toContain(
      'DATABASE_URL is not set',
    );
  });

  test('a secret never shows in a message', async () => {
    const path = join(folder, 'broken.json');
    await writeFile(path, '{"keys": "canary-4711"');
    const problems = problemsOf(() =>
      loadWorkerConfig({
        ...worker,
        SEALING_PRIVATE_KEYS_FILE: path,
        DATABASE_URL: 'mysql://a:canary-4711@b/c',
      }),
    );
    expect(problems).toHaveLength(2);
    expect(problems.join()).not.toContain('canary-4711');
  });

  test('a file that cannot be read, and a value given twice, are named', () => {
    expect(problemsOf(() => loadApiConfig({ ...api, SEALING_PUBLIC_KEY_FILE: '/nowhere/key' }))[0]).toMatch(
      /SEALING_PUBLIC_KEY_FILE names \/nowhere\/key, which cannot be read \(ENOENT\)/,
    );
    expect(problemsOf(() => loadApiConfig({ ...api, SEALING_PUBLIC_KEY: '{}' }))[0]).toContain('both set');
  });

  test('the operator needs the owner of the database', () => {
    expect(problemsOf(() => loadOperatorConfig({}))[0]).toContain('DATABASE_OWNER_URL is not set');
  });
});

describe('key folder', () => {
  test('only its owner can read the keys', async () => {
    for (const file of Object.values(KEY_FILES)) {
      expect((await stat(join(folder, file))).mode & 0o777).toBe(0o600);
    }
  });

  test('generating again changes nothing', async () => {
    const before = await readFile(join(folder, KEY_FILES.privateKeys), 'utf8');
    expect((await generateKeys(folder)).created).toBe(false);
    expect(await readFile(join(folder, KEY_FILES.privateKeys), 'utf8')).toBe(before);
  });

  test('rotation seals with a new key and still opens what the old one sealed', async () => {
    const context = { organizationId: 'o', ownerId: 'i', field: 'credential' };
    const old = await createSealer(loadApiConfig(api).sealingKey).seal('old', context);
    const { keyId } = await rotateKeys(folder);
    const fresh = await createSealer(loadApiConfig(api).sealingKey).seal('fresh', context);
    expect(fresh.keyId).toBe(keyId);
    expect(old.keyId).not.toBe(keyId);
    const opener = createOpener({ keys: loadWorkerConfig(worker).sealingKeys });
    expect(Buffer.from(await opener.open(old, context)).toString()).toBe('old');
    expect(Buffer.from(await opener.open(fresh, context)).toString()).toBe('fresh');
    expect((await listKeys(folder)).current).toBe(keyId);
  });
});
