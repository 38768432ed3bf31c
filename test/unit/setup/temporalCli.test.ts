import { createHash } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { cacheFolder } from '../../../scripts/setup/cacheFolder.mjs';
import { findTemporalCli } from '../../../scripts/setup/temporalCli.mjs';
import { releaseArchive } from '../../../scripts/setup/temporalDownload.mjs';
import { TEMPORAL_CLI_VERSION } from '../../../scripts/setup/temporalVersion.mjs';

const GOOD = '#!/bin/sh\necho "temporal version 1.8.2 (Server 1.31.2, UI 2.50.1)"\n';
const OLD = '#!/bin/sh\necho "temporal version 1.0.0 (Server 1.24.2, UI 2.27.1)"\n';
const BROKEN = '#!/bin/sh\necho "no such library" >&2\nexit 127\n';
const noInternet = (): Promise<Response> =>
  Promise.reject(new TypeError('fetch failed', { cause: new Error('getaddrinfo ENOTFOUND github.com') }));

describe('finding the Temporal CLI', () => {
  let folder: string;
  let said: string[];
  let requested: string[];

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'temporal-cli-'));
    said = [];
    requested = [];
    await mkdir(join(folder, 'checkout', 'tools', 'temporal'), { recursive: true });
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const cached = (): string =>
    join(folder, 'cache', 'bucket-brigade', 'temporal', `${TEMPORAL_CLI_VERSION}-linux-x64`, 'temporal');

  async function program(path: string, text: string): Promise<string> {
    const file = path.startsWith('/') ? path : join(folder, path);
    await mkdir(join(file, '..'), { recursive: true });
    await writeFile(file, text);
    await chmod(file, 0o755);
    return file;
  }

  /** A stand-in for `go`: says its version, and "builds" by writing a script to where `-o` points. */
  const fakeGo = (built: string): Promise<string> =>
    program(
      'bin/go',
      `#!/bin/sh
if [ "$1" = version ]; then echo "go version go1.26.4 test/test"; exit 0; fi
echo "$CGO_ENABLED $*" >> "${folder}/go.log"; pwd >> "${folder}/go.log"
while [ "$1" != -o ]; do shift; done
sleep 0.2
cat > "$2" <<'END'
${built}END
`,
    );

  function find(
    options: { env?: Record<string, string>; fetchFile?: (url: string) => Promise<Response> } = {},
  ) {
    return findTemporalCli({
      root: join(folder, 'checkout'),
      say: (message) => void said.push(message),
      env: {
        PATH: `${join(folder, 'bin')}:/usr/bin:/bin`,
        XDG_CACHE_HOME: join(folder, 'cache'),
        ...options.env,
      },
      platform: 'linux',
      architecture: 'x64',
      fetchFile: (url) => {
        requested.push(url);
        return (options.fetchFile ?? noInternet)(url);
      },
    });
  }

  /** The release as GitHub serves it: the archive, reached by a redirect, and the list of checksums. */
  function release(options: { content?: string; checksum?: string; location?: string } = {}) {
    const source = join(folder, 'release');
    execFileSync('mkdir', ['-p', source]);
    execFileSync('sh', ['-c', `cat > "${source}/temporal" && chmod 755 "${source}/temporal"`], {
      input: options.content ?? GOOD,
    });
    execFileSync('tar', ['-czf', join(folder, 'archive.tar.gz'), '-C', source, 'temporal']);
    return async (url: string): Promise<Response> => {
      const archive = await readFile(join(folder, 'archive.tar.gz'));
      const sum = options.checksum ?? createHash('sha256').update(archive).digest('hex');
      if (url.endsWith('/checksums.txt')) {
        return new Response(`${'0'.repeat(64)}  other.tar.gz\n${sum}  ${releaseArchive('linux', 'x64')}\n`);
      }
      if (url.startsWith('https://github.com/')) {
        const location = options.location ?? 'https://objects.example/archive';
        return new Response(null, { status: 302, headers: { location } });
      }
      return new Response(archive);
    };
  }

  it('takes TEMPORAL_CLI_PATH first', async () => {
    const named = await program('named/temporal', GOOD);
    await program('bin/temporal', GOOD);
    await program(cached(), GOOD);
    expect(await find({ env: { TEMPORAL_CLI_PATH: named } })).toEqual({
      path: named,
      way: 'TEMPORAL_CLI_PATH',
    });
  });

  it('then temporal on the PATH', async () => {
    const onPath = await program('bin/temporal', GOOD);
    await program(cached(), GOOD);
    expect(await find()).toEqual({ path: onPath, way: 'PATH' });
  });

  it('then the cache, without a word and without a request', async () => {
    await program(cached(), GOOD);
    expect(await find()).toEqual({ path: cached(), way: 'cache' });
    expect([said, requested]).toEqual([[], []]);
  });

  it('then the official download, checked and put into the cache', async () => {
    await fakeGo(GOOD);
    expect(await find({ fetchFile: release() })).toEqual({ path: cached(), way: 'download' });
    expect(await readFile(cached(), 'utf8')).toBe(GOOD);
    expect(said.join('\n')).toContain('about 45 MB');
    expect(await find()).toEqual({ path: cached(), way: 'cache' });
    expect(await readdir(join(cached(), '..'))).toEqual(['temporal']);
  });

  it('then a build with Go, pinned by the module in the checkout', async () => {
    await fakeGo(GOOD);
    expect(await find()).toEqual({ path: cached(), way: 'Go build' });
    const [command, where] = (await readFile(join(folder, 'go.log'), 'utf8')).split('\n');
    expect(command).toMatch(
      /^0 build -mod=readonly -ldflags -s -w -o \S+ github\.com\/temporalio\/cli\/cmd\/temporal$/,
    );
    expect(where).toBe(join(folder, 'checkout', 'tools', 'temporal'));
    expect(said.join('\n')).toMatch(/building the Temporal CLI with Go, about 6 minutes/);
    expect(await readdir(join(cached(), '..'))).toEqual(['temporal']);
  });

  it.each([
    ['broken', BROKEN],
    ['too old', OLD],
  ])('passes over executables that are %s', async (_case, text) => {
    const named = await program('named/temporal', text);
    await program('bin/temporal', text);
    await program(cached(), GOOD);
    expect(await find({ env: { TEMPORAL_CLI_PATH: named } })).toEqual({ path: cached(), way: 'cache' });
    expect(said.join('\n')).toContain(`TEMPORAL_CLI_PATH is of no use`);
  });

  it('refuses a download whose checksum is wrong, and builds', async () => {
    await fakeGo(GOOD);
    const fetchFile = release({ content: '#!/bin/sh\necho evil\n', checksum: 'ab'.repeat(32) });
    expect(await find({ fetchFile })).toEqual({ path: cached(), way: 'Go build' });
    expect(said.join('\n')).toMatch(
      /is not what the release says \(SHA-256 [0-9a-f]{64}, expected (ab){32}\)/,
    );
    expect(await readFile(cached(), 'utf8')).toBe(GOOD);
  });

  it('follows no redirect to plain HTTP', async () => {
    const fetchFile = release({ location: 'http://objects.example/archive' });
    await expect(find({ fetchFile })).rejects.toThrow(
      'leads to http://objects.example/archive, which is not HTTPS',
    );
    expect(requested).not.toContain('http://objects.example/archive');
  });

  it('keeps nothing of a download or build that does not run', async () => {
    await fakeGo(BROKEN);
    await expect(find({ fetchFile: release({ content: BROKEN }) })).rejects.toThrow('no such library');
    expect(await readdir(join(cached(), '..'))).toEqual([]);
  });

  it('builds once when several ask at the same time', async () => {
    await fakeGo(GOOD);
    const ways = await Promise.all([find(), find(), find()]);
    expect(ways.map(({ way }) => way).toSorted()).toEqual(['Go build', 'cache', 'cache']);
    expect((await readFile(join(folder, 'go.log'), 'utf8')).trim().split('\n')).toHaveLength(2);
  });

  it('names every way, why it failed and how to mend it, when none works', async () => {
    await program('bin/temporal', OLD);
    await program('bin/go', BROKEN);
    const error: Error = await find({ env: { TEMPORAL_CLI_PATH: '/nowhere/temporal' } }).then(
      () => expect.fail('found one'),
      (reason) => reason,
    );
    for (const part of [
      /TEMPORAL_CLI_PATH: "\/nowhere\/temporal --version" does not work: .*ENOENT/,
      /PATH: .*bin\/temporal brings server 1\.24\.2; 1\.30\.3 or newer is needed/,
      /cache: .*\/temporal does not exist/,
      /download: .*checksums\.txt: fetch failed \(getaddrinfo ENOTFOUND github\.com\)/,
      /Go build: Go is not there: it ended with code 127: no such library/,
    ]) {
      expect(error.message).toMatch(part);
    }
    expect(error.message.match(/To mend it: /g)).toHaveLength(5);
  });
});

describe('the cache folder', () => {
  it.each([
    [{ HOME: '/home/a' }, 'linux', '/home/a/.cache/bucket-brigade'],
    [{ HOME: '/home/a', XDG_CACHE_HOME: '/var/cache/a' }, 'linux', '/var/cache/a/bucket-brigade'],
    [{ HOME: '/home/a', XDG_CACHE_HOME: 'relative' }, 'linux', '/home/a/.cache/bucket-brigade'],
    [{ HOME: '/Users/a' }, 'darwin', '/Users/a/Library/Caches/bucket-brigade'],
  ] as const)('is where the system keeps such things: %j on %s', (env, platform, expected) => {
    expect(cacheFolder(env, platform)).toBe(expected);
  });
});
