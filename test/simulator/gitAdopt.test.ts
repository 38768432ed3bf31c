import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createGitStore } from '../../simulator/git/createGitStore.ts';
import { readMergeMessage } from '../../simulator/git/mergeMessage.ts';
import type { GitStore } from '../../simulator/git/store.ts';
import { git, logCounts, temporaryFolder } from './support/localGit.ts';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let store: GitStore;
let checkout: string;
let minute: number;

beforeEach(async () => {
  folder = await temporaryFolder();
  store = createGitStore({ folder: join(folder.path, 'store'), path: process.env['PATH'] ?? '' });
  checkout = join(folder.path, 'checkout');
  git(folder.path, ['init', '--quiet', '--initial-branch=main', checkout]);
  minute = 0;
  await commit('one.txt', 'Begin');
});

afterEach(async () => {
  await store.close();
  await folder.remove();
});

function nextDate(): string {
  minute += 1;
  return `2026-03-01T12:${String(minute).padStart(2, '0')}:00+00:00`;
}

async function commit(file: string, message: string): Promise<string> {
  await writeFile(join(checkout, file), `${message}\n`);
  git(checkout, ['add', file]);
  git(checkout, ['commit', '--quiet', '-m', message], { date: nextDate() });
  return head();
}

function merge(message: string, ...branches: string[]): string {
  git(checkout, ['merge', '--quiet', '--no-ff', '-m', message, ...branches], { date: nextDate() });
  return head();
}

const head = () => git(checkout, ['rev-parse', 'HEAD']).trim();
const adopt = () => store.adopt({ key: 'adopted', path: checkout });

test('each merge on the main line becomes a pull request', async () => {
  git(checkout, ['checkout', '--quiet', '-b', 'feature/a']);
  const firstOfA = await commit('a.txt', 'A starts');
  const tipOfA = await commit('a.txt', 'A goes on');
  git(checkout, ['checkout', '--quiet', 'main']);
  const before = await commit('two.txt', 'Meanwhile');
  const mergeOfA = merge(
    'Merge pull request #12 from ada/feature/a\n\nMake A work\n\nIt did not.',
    'feature/a',
  );
  git(checkout, ['checkout', '--quiet', '-b', 'b']);
  git(checkout, ['checkout', '--quiet', '-b', 'inner']);
  await commit('inner.txt', 'Inner');
  git(checkout, ['checkout', '--quiet', 'b']);
  await commit('b.txt', 'B');
  merge('Inner into b', 'inner');
  git(checkout, ['checkout', '--quiet', 'main']);
  merge('Bring b', 'b');
  git(checkout, ['branch', '--quiet', '-D', 'feature/a']);
  git(checkout, ['tag', 'v1']);

  const { pullRequests, mainBranch, branches, tags, people } = await adopt();
  expect(mainBranch).toBe('main');
  expect(branches.map(({ name }) => name)).toEqual(['b', 'inner', 'main']);
  expect(tags).toEqual([{ name: 'v1', target: head() }]);
  expect(people.map(({ name }) => name)).toEqual(['Ada', 'Carl']);
  expect(pullRequests).toHaveLength(2);
  expect(pullRequests[0]).toMatchObject({
    number: 1,
    title: 'Make A work',
    description: 'It did not.',
    sourceBranch: 'feature/a',
    destinationBranch: 'main',
    sourceHash: tipOfA,
    destinationHash: before,
    mergeHash: mergeOfA,
    commitHashes: [tipOfA, firstOfA],
    createdDate: '2026-03-01T12:02:00+00:00',
    updatedDate: '2026-03-01T12:03:00+00:00',
    mergeDate: '2026-03-01T12:05:00+00:00',
    author: { name: 'Ada', email: 'ada@example.test' },
    mergedBy: { name: 'Carl' },
    sourceBranchExists: false,
  });
  expect(pullRequests[1]).toMatchObject({ number: 2, title: 'Bring b', destinationHash: mergeOfA });
  expect(pullRequests[1]?.sourceBranch).toMatch(/^merged\//);
  expect(pullRequests[1]?.commitHashes).toHaveLength(3);
});

test('an octopus merge is no pull request, and what it brought belongs to none later', async () => {
  for (const name of ['x', 'y']) {
    git(checkout, ['checkout', '--quiet', '-b', name, 'main']);
    await commit(`${name}.txt`, name);
  }
  git(checkout, ['checkout', '--quiet', '-b', 'z', 'x']);
  const tipOfZ = await commit('z.txt', 'z');
  git(checkout, ['checkout', '--quiet', 'main']);
  await commit('main.txt', 'Meanwhile');
  merge('Eight arms', 'x', 'y');
  merge("Merge branch 'z'", 'z');
  const { pullRequests } = await adopt();
  expect(pullRequests).toMatchObject([
    { sourceBranch: 'z', commitHashes: [tipOfZ], sourceBranchExists: true },
  ]);
});

test('the truth of an adopted repository counts as git log in the original does', async () => {
  await commit('two.txt', 'Two');
  git(checkout, ['mv', 'two.txt', 'three.txt']);
  git(checkout, ['commit', '--quiet', '-m', 'Rename'], { date: nextDate() });
  await adopt();
  const told = new Map<string, [number, number, number]>();
  for await (const line of store.truth('adopted')) {
    if (line.kind === 'commit')
      told.set(line.hash, [line.lines_added, line.lines_removed, line.files_changed]);
  }
  expect(told).toEqual(logCounts(checkout));
});

test('adopting again brings what is new and drops what is gone; the original may vanish', async () => {
  git(checkout, ['branch', 'old']);
  git(checkout, ['branch', 'side/way']);
  await adopt();
  git(checkout, ['branch', '-D', '--quiet', 'old', 'side/way']);
  git(checkout, ['branch', 'side']);
  const tip = await commit('two.txt', 'Two');
  expect((await adopt()).branches.map(({ name }) => name)).toEqual(['main', 'side']);
  await rm(checkout, { recursive: true });
  expect((await store.commit('adopted', 'main'))?.hash).toBe(tip);
});

test('branches that only the remote of a checkout has are branches', async () => {
  git(checkout, ['branch', 'far/away']);
  git(checkout, ['branch', 'release/one']);
  const clone = join(folder.path, 'clone');
  git(folder.path, ['clone', '--quiet', checkout, clone]);
  const adopted = await store.adopt({ key: 'clone', path: clone });
  expect(adopted.branches.map(({ name }) => name)).toEqual(['far/away', 'main', 'release/one']);
  expect(adopted.mainBranch).toBe('main');
});

test('a detached checkout without branches gets a main branch, a shallow one too', async () => {
  await commit('two.txt', 'Two');
  const tip = await commit('three.txt', 'Three');
  const bare = join(folder.path, 'detached');
  git(folder.path, ['init', '--quiet', bare]);
  git(bare, ['fetch', '--quiet', '--depth=2', `file://${checkout}`, 'main']);
  git(bare, ['checkout', '--quiet', '--detach', 'FETCH_HEAD']);
  const adopted = await store.adopt({ key: 'detached', path: bare });
  expect(adopted).toMatchObject({ mainBranch: 'main', branches: [{ name: 'main', target: tip }] });
  const commits = await store.commits('detached', { include: [], exclude: [], skip: 0, limit: 10 });
  expect(commits.map(({ message, parents }) => [message, parents.length])).toEqual([
    ['Three\n', 1],
    ['Two\n', 0],
  ]);
  const files: unknown[] = [];
  for await (const line of store.truth('detached')) if (line.kind === 'commit_file') files.push(line.path);
  expect(files).toEqual(['three.txt', 'one.txt', 'two.txt']);
});

test('a checkout without commits is empty, and a folder without git an error', async () => {
  const unborn = join(folder.path, 'unborn');
  git(folder.path, ['init', '--quiet', unborn]);
  expect(await store.adopt({ key: 'unborn', path: unborn })).toMatchObject({
    mainBranch: null,
    branches: [],
  });
  await expect(store.adopt({ key: 'none', path: join(folder.path, 'store') })).rejects.toThrow(
    /not a git repository/,
  );
});

test.each([
  ['Merge pull request #12 from ada/fix/it\n\nFix it\n\nBody', 'Fix it', 'fix/it', 'Body'],
  [
    'Merged in fix/it (pull request #3)\n\nFix it\n\nApproved-by: Zoë',
    'Fix it',
    'fix/it',
    'Approved-by: Zoë',
  ],
  [
    "Merge branch 'fix/it' into 'main'\n\nFix it\n\nSee merge request a/b!1",
    'Fix it',
    'fix/it',
    'See merge request a/b!1',
  ],
  [
    'Merge pull request #9 in ACME/site from fix/it to master\n\n* commit abc:\n  Fix',
    'Merge pull request #9 in ACME/site from fix/it to master',
    'fix/it',
    '* commit abc:\n  Fix',
  ],
  [
    'Pull request #9: Fix it\n\nMerge in ACME/site from fix/it to master',
    'Pull request #9: Fix it',
    'fix/it',
    'Merge in ACME/site from fix/it to master',
  ],
  ["Merge branch 'fix/it'", "Merge branch 'fix/it'", 'fix/it', ''],
  [
    "Merge remote-tracking branch 'origin/fix/it'",
    "Merge remote-tracking branch 'origin/fix/it'",
    'fix/it',
    '',
  ],
  ['Bring it home\n', 'Bring it home', null, ''],
  ['', '', null, ''],
])('reads the merge message %j', (message, title, sourceBranch, description) => {
  expect(readMergeMessage(message)).toEqual({ title, sourceBranch, description });
});
