import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { generateKeys, KEY_FILES } from '../../scripts/keys/keyFolder.ts';
import type { ChildServer } from '../../scripts/servers/childProcess.ts';
import { freePort } from '../../scripts/servers/freePort.ts';
import { startReady } from '../../scripts/servers/readyProcess.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const run = promisify(execFile);

describe('npm run build', () => {
  let database: TestDatabase;
  let folder: string;
  const children: ChildServer[] = [];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'build-'));
    database = await createTestDatabase();
    await generateKeys(folder);
    await run(process.execPath, ['--import', 'tsx', 'scripts/build.ts'], { cwd: ROOT });
  });
  afterAll(async () => {
    await Promise.all(children.map((child) => child.stop()));
    await database?.drop();
    await rm(folder, { recursive: true, force: true });
  });

  /** Plain Node, as the image runs it: no tsx, no sources. Answers when it is ready. */
  async function start(
    script: string,
    portVariable: string,
    env: Record<string, string>,
  ): Promise<{ url: string; said: string }> {
    const port = await freePort();
    const lines: string[] = [];
    const { temporalAddress, temporalNamespace } = inject('servers');
    const child = await startReady(script, `http://127.0.0.1:${port}/readyz`, {
      command: process.execPath,
      args: [join('dist', script)],
      cwd: ROOT,
      env: {
        PATH: process.env['PATH'],
        NODE_ENV: 'production',
        TEMPORAL_ADDRESS: temporalAddress,
        TEMPORAL_NAMESPACE: temporalNamespace,
        TASK_QUEUE: 'built',
        [portVariable]: String(port),
        ...env,
      },
      log: (line) => lines.push(line),
    });
    children.push(child);
    return { url: `http://127.0.0.1:${port}`, said: lines.join('\n') };
  }

  test('makes a worker that gets ready, with its workflows bundled ahead', async () => {
    const { said } = await start('worker.js', 'METRICS_PORT', {
      DATABASE_URL: database.workerUrl,
      SEALING_PRIVATE_KEYS_FILE: join(folder, KEY_FILES.privateKeys),
      WEBHOOK_KEY_FILE: join(folder, KEY_FILES.webhookKey),
      CLONE_FOLDER: join(folder, 'clones'),
    });
    // The SDK says so when it has to run webpack.
    expect(said).not.toMatch(/webpack|Workflow bundle created/i);
  });

  test('makes an api that gets ready', async () => {
    const { url } = await start('api/server.js', 'PORT', {
      DATABASE_URL: database.apiUrl,
      SEALING_PUBLIC_KEY_FILE: join(folder, KEY_FILES.publicKey),
      IDEMPOTENCY_KEY_SECRET_FILE: join(folder, KEY_FILES.idempotencySecret),
      WEBHOOK_KEY_FILE: join(folder, KEY_FILES.webhookKey),
      PUBLIC_URL: 'https://ingestion.example.com',
    });
    const document = await (await fetch(`${url}/openapi.json`)).json();
    expect(document).toMatchObject({ openapi: '3.1.0' });
  });

  test('makes the scripts of the operator: migration, keys, api keys', async () => {
    const script = (name: string, ...args: string[]) =>
      run(process.execPath, [join('dist', 'scripts', name), ...args], {
        cwd: ROOT,
        env: { PATH: process.env['PATH'], DATABASE_OWNER_URL: database.ownerUrl },
      });
    expect((await script('migrate.js')).stdout).toContain('newest schema');
    expect((await script('keys.js', 'list', '--folder', folder)).stdout).toContain('seals new secrets');
    const { stdout } = await script('apiKey.js', 'create', '--organization', 'acme', '--role', 'admin');
    expect(stdout).toMatch(/^bb_/);
  });
});
