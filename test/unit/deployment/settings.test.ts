import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { loadApiConfig, loadMigrationConfig, loadWorkerConfig } from '../../../platform/config.ts';
import { apiVariables, workerVariables } from '../../../platform/variables.ts';
import { type ComposeFile, read, readCompose, ROOT } from './composeFile.ts';

/** A namespace of its own needs no other queue; the image has its workflows with it. */
const SAME_EVERYWHERE = new Set(['TASK_QUEUE', 'WORKFLOW_BUNDLE']);

let compose: ComposeFile;
beforeAll(async () => {
  compose = await readCompose();
});

describe('the settings in docker-compose.yml', () => {
  /** What a container would see: compose's defaults filled in, and secrets made by our own script. */
  async function environmentOf(name: string, secrets: string): Promise<Record<string, string>> {
    const environment: Record<string, string> = {};
    for (const [variable, value] of Object.entries(compose.services[name]!.environment ?? {})) {
      const text = value.replaceAll(/\$\{[A-Z_]+:-([^}]*)\}/g, '$1');
      const secret = text.startsWith('/run/secrets/')
        ? compose.secrets[text.slice('/run/secrets/'.length)]
        : undefined;
      environment[variable] =
        secret === undefined ? text : join(secrets, secret.file.replace('./secrets/', ''));
    }
    return environment;
  }

  async function makeSecrets(): Promise<string> {
    const checkout = await mkdtemp(join(tmpdir(), 'make-secrets-'));
    await mkdir(join(checkout, 'docker'));
    await cp(join(ROOT, 'docker/make-secrets.sh'), join(checkout, 'docker/make-secrets.sh'));
    // In place of the `npm` of a whole checkout: the same script, run from this one.
    await mkdir(join(checkout, 'bin'));
    const npm = `#!/bin/sh\nshift 4\nexec "${process.execPath}" --import "${ROOT}node_modules/tsx/dist/loader.mjs" "${ROOT}scripts/keys.ts" "$@"\n`;
    await writeFile(join(checkout, 'bin/npm'), npm);
    await chmod(join(checkout, 'bin/npm'), 0o755);
    const env = { ...process.env, PATH: `${join(checkout, 'bin')}:${process.env['PATH']}` };
    for (let run = 0; run < 2; run += 1)
      execFileSync('sh', ['docker/make-secrets.sh'], { cwd: checkout, env });
    return join(checkout, 'secrets');
  }

  it('are complete, known to the program, and fit the secrets that docker/make-secrets.sh makes', async () => {
    const secrets = await makeSecrets();
    for (const { file } of Object.values(compose.secrets)) {
      expect(existsSync(join(secrets, file.replace('./secrets/', ''))), file).toBe(true);
    }
    const api = loadApiConfig(await environmentOf('api', secrets));
    const worker = loadWorkerConfig(await environmentOf('worker', secrets));
    const { ownerUrl, provisioning } = loadMigrationConfig(await environmentOf('migrate', secrets));
    await rm(join(secrets, '..'), { recursive: true });

    expect(api).toMatchObject({ host: '0.0.0.0', port: 4400, temporal: worker.temporal });
    expect(worker).toMatchObject({ metrics: { port: 9464 }, cloneFolder: '/var/lib/bucket-brigade/clones' });
    expect(worker.sealingKeys.map(({ keyId }) => keyId)).toEqual([api.sealingKey.keyId]);
    for (const [url, password] of [
      [ownerUrl, provisioning!.passwords.owner],
      [api.databaseUrl, provisioning!.passwords.api],
      [worker.databaseUrl, provisioning!.passwords.worker],
    ]) {
      expect(new URL(url!)).toMatchObject({ password, hostname: 'postgres', pathname: '/bucket_brigade' });
    }
    const { environment } = compose.services['temporal-namespace']!;
    expect(worker.temporal).toEqual({
      address: environment!['TEMPORAL_ADDRESS'],
      namespace: environment!['TEMPORAL_NAMESPACE'],
    });
  }, 30_000);

  it.each([
    ['api', apiVariables],
    ['worker', workerVariables],
  ])(
    'tell the %s everything that it can be told, but what is the same in each installation',
    (name, variables) => {
      const passed = Object.keys(compose.services[name]!.environment!).map((each) =>
        each.replace(/_FILE$/, ''),
      );
      const wanted = Object.keys(variables).filter((variable) => !SAME_EVERYWHERE.has(variable));
      expect(passed.toSorted()).toEqual(wanted.toSorted());
    },
  );

  it('are all names in platform/variables.ts', async () => {
    const variables = await read('platform/variables.ts');
    for (const name of ['api', 'worker', 'migrate']) {
      for (const variable of Object.keys(compose.services[name]!.environment!)) {
        expect(variables, `${name}: ${variable}`).toMatch(
          new RegExp(`\\b${variable.replace(/_FILE$/, '')}\\b`),
        );
      }
    }
  });
});
