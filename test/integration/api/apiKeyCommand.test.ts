import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';
import { createLocalApi } from '../../support/localApi.ts';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const run = promisify(execFile);

describe('npm run api-key', () => {
  let database: TestDatabase;
  const command = (...args: string[]) =>
    run(process.execPath, [join(inject('servers').programs, 'scripts/apiKey.js'), ...args], {
      cwd: ROOT,
      env: { PATH: process.env['PATH'], DATABASE_OWNER_URL: database.ownerUrl },
    });

  beforeAll(async () => {
    database = await createTestDatabase();
  });
  afterAll(() => database?.drop());

  test('makes a key that works, shows it once, and ends it', async () => {
    const { stdout } = await command('create', '--organization', 'Acme', '--role', 'viewer', '--label', 'ci');
    const key = stdout.trim();
    expect(key).toMatch(/^bb_[a-z0-9]{12}_[\w-]{43}$/);
    const api = createLocalApi({ databaseUrl: database.apiUrl });
    const status = async () =>
      (await api.send('/v1/integrations', { headers: { Authorization: `Bearer ${key}` } })).status;
    expect(await status()).toBe(200);
    const listed = (await command('list')).stdout;
    expect(listed).toContain('Acme');
    expect(listed).not.toContain(key.slice(16));
    await command('revoke', key.slice(0, 15));
    expect(await status()).toBe(401);
    expect((await command('list')).stdout).toContain('revoked');
    await api.close();
  });

  test('says what is wrong and how it is used', async () => {
    await expect(command('create', '--organization', 'Acme', '--role', 'king')).rejects.toThrow(
      /none of viewer/,
    );
    await expect(command('create', '--role', 'viewer')).rejects.toThrow(/--organization is missing/);
    await command('return-url', 'add', '--organization', 'Acme', 'https://product.example/connected');
    expect((await command('organization', 'list')).stdout).toContain('https://product.example/connected');
  });
});
