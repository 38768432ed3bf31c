import { execFile } from 'node:child_process';
import { createServer, request as startRequest, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createGitStore } from '../../simulator/git/createGitStore.ts';
import type { GeneratedRepository, GitStore } from '../../simulator/git/store.ts';
import { waitFor } from '../support/waitFor.ts';
import { git, temporaryFolder } from './support/localGit.ts';

const run = promisify(execFile);

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let store: GitStore;
let repository: GeneratedRepository;
let server: Server;
let url: string;
const seen: { url: string; protocol: string | undefined; encoding: string | undefined }[] = [];

beforeAll(async () => {
  folder = await temporaryFolder();
  store = createGitStore({ folder: join(folder.path, 'store'), path: process.env['PATH'] ?? '' });
  repository = await store.generate({
    key: 'served',
    seed: 3,
    commits: 4_000,
    branches: 6,
    tags: 9,
    authors: [{ name: 'Ada', email: 'ada@example.test' }],
    pullRequests: [],
    odd: true,
  });
  server = createServer((request, response) => {
    const subPath = (request.url ?? '').replace('/acme/served.git', '');
    seen.push({
      url: subPath,
      protocol: request.headers['git-protocol']?.toString(),
      encoding: request.headers['content-encoding'],
    });
    store
      .handle(request, response, 'served', subPath)
      .catch((error: unknown) => response.destroy(error as Error));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/acme/served.git`;
});

afterAll(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await store.close();
  await folder.remove();
});

/** Not `execFileSync`: the server lives in this process. */
async function clone(name: string, ...options: string[]): Promise<string> {
  const target = join(folder.path, name);
  const env = {
    PATH: process.env.PATH,
    HOME: folder.path,
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_TERMINAL_PROMPT: '0',
  };
  await run('git', [...options, 'clone', '--quiet', '--bare', url, target], { env });
  return target;
}

/** One line of git's wire format: its length in four hex digits before it. */
const packet = (text: string) => `${(text.length + 4).toString(16).padStart(4, '0')}${text}`;

const refsOf = (path: string) => git(path, ['for-each-ref', '--format=%(objectname) %(refname)']);

test.each(['0', '2'])('a clone over HTTP equals the original, in protocol version %s', async (version) => {
  seen.length = 0;
  const copy = await clone(`clone-v${version}`, '-c', `protocol.version=${version}`);
  const original = join(folder.path, 'store', 'served.git');
  expect(refsOf(copy)).toBe(refsOf(original));
  expect(git(copy, ['rev-list', '--all', '--count']).trim()).toBe('4000');
  expect(git(copy, ['symbolic-ref', 'HEAD']).trim()).toBe('refs/heads/main');
  expect(git(copy, ['fsck', '--connectivity-only'])).toBe('');
  expect(seen.some(({ protocol }) => protocol === 'version=2')).toBe(version === '2');
});

test('a packed request body is understood', async () => {
  const body = gzipSync(`${packet('command=ls-refs\n')}0001${packet('peel\n')}0000`);
  const answer = await fetch(`${url}/git-upload-pack`, {
    method: 'POST',
    body,
    headers: {
      'content-type': 'application/x-git-upload-pack-request',
      'content-encoding': 'gzip',
      'git-protocol': 'version=2',
    },
  });
  expect(answer.status).toBe(200);
  expect(answer.headers.get('content-type')).toBe('application/x-git-upload-pack-result');
  expect(await answer.text()).toContain(
    `${repository.branches[0]?.target} refs/heads/${repository.branches[0]?.name}`,
  );
});

test('a partial clone leaves file contents out', async () => {
  const target = join(folder.path, 'partial');
  await run('git', ['clone', '--quiet', '--bare', '--filter=blob:none', url, target], {
    env: { PATH: process.env.PATH, HOME: folder.path, GIT_CONFIG_NOSYSTEM: '1' },
  });
  const types = git(target, ['cat-file', '--batch-all-objects', '--batch-check=%(objecttype)']);
  expect(types).toContain('commit');
  expect(types).not.toContain('blob');
});

test('pushing is refused and files are not handed out singly', async () => {
  const statuses = await Promise.all(
    [
      '/info/refs?service=git-receive-pack',
      '/HEAD',
      '/info/refs',
      '/../served.git/config',
      '/git-upload-pack',
    ].map(async (path) => (await fetch(`${url}${path}`)).status),
  );
  expect(statuses.every((status) => status === 403)).toBe(true);
  expect((await fetch(`${url}/git-receive-pack`, { method: 'POST', body: '0000' })).status).toBe(403);
});

test('git ends when the client goes away in the middle', async () => {
  const main = repository.branches.find(({ name }) => name === 'main')?.target ?? '';
  const lines = [
    packet('command=fetch'),
    '0001',
    packet('no-progress'),
    packet(`want ${main}\n`),
    packet('done\n'),
  ];
  const request = startRequest(`${url}/git-upload-pack`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-git-upload-pack-request', 'git-protocol': 'version=2' },
  });
  request.on('error', () => {});
  request.end(`${lines.join('')}0000`);
  const processes = async () => {
    const listed = (await run('ps', ['-ww', '-A', '-o', 'pid=,ppid=,args='])).stdout
      .split('\n')
      .map((line) => line.trim().split(/\s+/));
    // Started by the fork server of this process.
    const ours = new Set(listed.flatMap(([pid, parent]) => (Number(parent) === process.pid ? [pid] : [])));
    return listed.filter(([, parent, ...args]) => ours.has(parent) && args.includes('http-backend'));
  };
  await new Promise<void>((resolve, reject) => {
    request.once('response', (response) => {
      response.once('readable', () => {
        if (response.statusCode !== 200) return reject(new Error(`answered ${response.statusCode}`));
        resolve();
      });
    });
  });
  expect(await processes()).toHaveLength(1);
  request.destroy();
  await waitFor({ what: 'git has ended', read: processes, until: (left) => left.length === 0 });
});
