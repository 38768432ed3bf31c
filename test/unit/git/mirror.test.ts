import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type CloneFolder, createCloneFolder } from '../../../activities/git/cloneFolder.ts';
import { GitFailed } from '../../../activities/git/gitFailed.ts';
import { createMirror } from '../../../activities/git/mirror.ts';
import type { Git, GitCommand } from '../../../activities/git/process.ts';
import { Secret } from '../../../platform/secrets/secret.ts';

let folder: string;
let clones: CloneFolder;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'bucket-brigade-mirror-'));
  clones = createCloneFolder({ folder, maxBytes: 1_000_000 });
});
afterEach(() => rmSync(folder, { recursive: true }));

/** A git whose commands fail with these last words, one each, and then succeed; `asked` says which there were. */
function failingGit(words: string[]) {
  const asked: string[] = [];
  const text = async ({ args }: GitCommand): Promise<string> => {
    asked.push(args[0] ?? '');
    const next = words.shift();
    if (next !== undefined) throw new GitFailed(args, 128, next);
    if (args[0] === 'clone') mkdirSync(args.at(-1) ?? '', { recursive: true });
    return '';
  };
  const unasked = () => {
    throw new Error('Nobody asks for this.');
  };
  const git: Git = { start: unasked, bytes: unasked, text };
  return { git, asked };
}

async function store(repositoryId: string, bytes = 0): Promise<void> {
  const clone = await clones.take(repositoryId, 1);
  mkdirSync(clone.path, { recursive: true });
  writeFileSync(join(clone.path, 'pack'), Buffer.alloc(bytes));
  await clone.giveBack();
}

/** Brings a clone up to date that is there already. */
async function fetched(words: string[], url = 'https://host/acme/app.git') {
  await store('a');
  const { git, asked } = failingGit(words);
  const ended = createMirror({ git, clones }).withMirror({
    repositoryId: 'a',
    epoch: 2,
    remote: { url, login: { username: '', password: new Secret(''), origin: url } },
    expectedBytes: 0,
    signal: AbortSignal.timeout(20_000),
    contact: (run) => run(),
    onLine: () => {},
    work: async () => 'read',
  });
  const outcome = await ended.catch((error: unknown) => error);
  return { outcome, asked, isKept: (await clones.take('a', 3)).whole };
}

const ODD_URL = 'https://host/acme/broken-links.git';

test.each([
  ['a broken pipe', 'error: RPC failed; curl 55 Send failure: Broken pipe'],
  [
    'a certificate of another host',
    `fatal: unable to access '${ODD_URL}/': SSL: certificate subject name 'x' does not match target host name 'host'`,
  ],
  [
    'an outage, of a repository with such a name',
    `fatal: unable to access '${ODD_URL}/': Could not resolve host: host`,
  ],
])('%s is no damage: the clone stays, and no other is made', async (_, words) => {
  const { outcome, asked, isKept } = await fetched([words], ODD_URL);
  expect(outcome).toBeInstanceOf(GitFailed);
  expect([asked, isKept]).toEqual([['fetch'], true]);
});

test('damage is found whatever words the names of repository and branch hold', async () => {
  const url = 'https://host/acme/ssl.git';
  const words = `fatal: bad object refs/heads/timed-out\nerror: ${url} did not send all necessary objects`;
  expect(await fetched([words], url)).toMatchObject({ outcome: 'read', asked: ['fetch', 'clone'] });
  const locked =
    "error: cannot lock ref 'refs/heads/fix-tls': Unable to create '/x/fix-tls.lock': File exists.";
  expect(await fetched([locked])).toMatchObject({ outcome: 'read', asked: ['fetch', 'clone'] });
});

test.each([
  'fatal: bad config line 1 in file config',
  'fatal: unexpected line in .git/packed-refs: nonsense',
])('damage of what git keeps beside objects is damage too: %s', async (words) => {
  expect(await fetched([words])).toMatchObject({ outcome: 'read', asked: ['fetch', 'clone'] });
});

test('a full disk at a fetch: what nobody uses is removed, and it is fetched once more', async () => {
  await store('idle');
  const full = "error: cannot lock ref 'refs/heads/main': No space left on device";
  expect(await fetched([full])).toMatchObject({ outcome: 'read', asked: ['fetch', 'fetch'], isKept: true });
  expect((await clones.take('idle', 2)).whole).toBe(false);
  const again = await fetched([full, full]);
  expect(again).toMatchObject({ asked: ['fetch', 'fetch'], isKept: true });
  expect(again.outcome).toBeInstanceOf(GitFailed);
});

test('a fetch holds the clones to their cap', async () => {
  await store('idle', 2_000_000);
  expect(await fetched([])).toMatchObject({ asked: ['fetch'], isKept: true });
  expect((await clones.take('idle', 2)).whole).toBe(false);
});
