import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { read, ROOT } from './composeFile.ts';

let dockerfile: string;
beforeAll(async () => {
  dockerfile = await read('Dockerfile');
});

describe('the Dockerfile', () => {
  interface Stage {
    name: string;
    base: string;
    lines: string[];
  }
  function stages(): Stage[] {
    const found: Stage[] = [];
    for (const line of dockerfile.split('\n')) {
      const from = /^FROM (\S+) AS (\S+)$/.exec(line);
      if (from) found.push({ base: from[1]!, name: from[2]!, lines: [] });
      else found.at(-1)?.lines.push(line);
    }
    return found;
  }
  /** All instructions that make up an image, its base's first. */
  function linesOf(name: string): string[] {
    const stage = stages().find((candidate) => candidate.name === name);
    return stage === undefined ? [] : [...linesOf(stage.base), ...stage.lines];
  }

  it('ends each image as an ordinary user, for production, with a health check', () => {
    for (const target of ['engine', 'simulator']) {
      const lines = linesOf(target);
      expect(
        lines.findLast((line) => line.startsWith('USER ')),
        target,
      ).toBe('USER node');
      expect(lines, target).toContain('ENV NODE_ENV=production');
      expect(
        lines.some((line) => line.startsWith('HEALTHCHECK ')),
        target,
      ).toBe(true);
      expect(lines.join('\n'), target).toMatch(/apt-get install .*\bgit\b/);
    }
    expect(stages().at(-1)!.name).toBe('engine');
  });

  it('brings no development packages and no simulator into the image of the engine', () => {
    const copies = linesOf('engine').filter((line) => line.startsWith('COPY '));
    expect(copies.join('\n')).not.toMatch(/simulator|COPY \./);
    expect(
      stages()
        .find(({ name }) => name === 'packages')!
        .lines.join('\n'),
    ).toContain('npm ci --omit=dev');
  });

  it('brings what starts git into both images, from where both look for it', () => {
    for (const target of ['engine', 'simulator']) {
      const copies = linesOf(target).filter((line) =>
        /^COPY --from=build \/app\/dist(\/launcher)? /.test(line),
      );
      expect(copies, target).toHaveLength(1);
    }
  });

  it('is sent everything that the build reads, and no secret', async () => {
    const ignore = (await read('.dockerignore'))
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'));
    expect(ignore[0]).toBe('*');
    const { include }: { include: string[] } = JSON.parse(await read('tsconfig.build.json'));
    for (const pattern of include) expect(ignore).toContain(`!${pattern.split('/')[0]}`);
    for (const secret of ['secrets', '.env', '.bucket-brigade', '.git'])
      expect(ignore).not.toContain(`!${secret}`);
  });
});

it.each([
  'make-secrets.sh',
  'postgres/create-temporal-role.sh',
  'temporal/setup-schema.sh',
  'temporal/start-server.sh',
  'temporal/setup-namespace.sh',
])('docker/%s is a shell script without mistakes of syntax', (script) => {
  expect(() => execFileSync('sh', ['-n', join(ROOT, 'docker', script)], { stdio: 'pipe' })).not.toThrow();
});
