import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createGitStore } from '../../simulator/git/createGitStore.ts';
import type { GitTruth } from '../../simulator/git/gitTruth.ts';
import type { GeneratedRepository, GenerateSpec, GitStore } from '../../simulator/git/store.ts';
import { git, logCounts, temporaryFolder } from './support/localGit.ts';

const STATES = ['OPEN', 'MERGED', 'MERGED', 'MERGED', 'DECLINED', 'SUPERSEDED'];

function specOf(key: string, more: Partial<GenerateSpec> = {}): GenerateSpec {
  return {
    key,
    seed: 7,
    commits: 400,
    branches: 5,
    tags: 11,
    authors: [
      { name: 'Ada Lovelace', email: 'ada@example.test' },
      { name: 'Zoë', email: 'zoe@example.test' },
    ],
    pullRequests: Array.from({ length: 40 }, (_, at) => ({
      number: at + 1,
      sourceBranch: `feature/${at + 1}`,
      destinationBranch: at % 10 === 9 ? 'develop' : 'main',
      state: STATES[at % STATES.length] ?? 'OPEN',
      keepSourceBranch: at % 5 === 0,
      commits: 1 + (at % 4),
    })),
    ...more,
  };
}

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let store: GitStore;
let plain: GeneratedRepository;
let odd: GeneratedRepository;

beforeAll(async () => {
  folder = await temporaryFolder();
  store = createGitStore({ folder: folder.path, path: process.env['PATH'] ?? '' });
  plain = await store.generate(specOf('plain'));
  odd = await store.generate(specOf('odd', { odd: true }));
});

afterAll(async () => {
  await store.close();
  await folder.remove();
});

const pathOf = (key: string) => join(folder.path, `${key}.git`);

async function truthOf(key: string): Promise<GitTruth[]> {
  const lines: GitTruth[] = [];
  for await (const line of store.truth(key)) lines.push(line);
  return lines;
}

test('one seed decides every hash, and another seed changes them', async () => {
  const elsewhere = await temporaryFolder();
  const other = createGitStore({ folder: elsewhere.path, path: process.env['PATH'] ?? '' });
  try {
    const again = await other.generate(specOf('plain'));
    const otherSeed = await other.generate(specOf('reseeded', { seed: 8 }));
    expect(again).toEqual(plain);
    expect(otherSeed.branches[0]?.target).not.toBe(plain.branches[0]?.target);
  } finally {
    await other.close();
    await elsewhere.remove();
  }
});

test('a repository that stands already is not built again', async () => {
  const before = await stat(join(pathOf('plain'), 'HEAD'));
  expect(await store.generate(specOf('plain'))).toEqual(plain);
  expect((await stat(join(pathOf('plain'), 'HEAD'))).ino).toBe(before.ino);
});

test('a spec that git refuses is an error and leaves nothing behind', async () => {
  const [pullRequest] = specOf('bad').pullRequests;
  const pullRequests = pullRequest ? [{ ...pullRequest, sourceBranch: 'bad..name' }] : [];
  await expect(store.generate(specOf('bad', { pullRequests }))).rejects.toThrow(/bad\.\.name/);
  expect((await readdir(folder.path)).filter((name) => name.startsWith('bad'))).toEqual([]);
});

test('branches and tags reach exactly as many commits as asked for', () => {
  for (const key of ['plain', 'odd']) {
    expect(git(pathOf(key), ['rev-list', '--count', '--branches', '--tags']).trim()).toBe('400');
  }
  expect(git(pathOf('odd'), ['fsck', '--connectivity-only', '--no-dangling'])).toBe('');
});

test('every pull request is made of real commits', async () => {
  const branches = new Map(plain.branches.map(({ name, target }) => [name, target]));
  let squashed = 0;
  for (const [at, pullRequest] of plain.pullRequests.entries()) {
    const { sourceHash, destinationHash, mergeHash, commitHashes, sourceBranch } = pullRequest;
    const wanted = specOf('plain').pullRequests[at];
    const listed = git(pathOf('plain'), ['rev-list', '--topo-order', sourceHash, `^${destinationHash}`]);
    expect(listed.trim().split('\n')).toEqual(commitHashes);
    expect(commitHashes).toHaveLength(wanted?.commits ?? 0);
    const merge = mergeHash === null ? undefined : await store.commit('plain', mergeHash);
    expect(mergeHash !== null).toBe(wanted?.state === 'MERGED');
    expect(merge?.parents).toEqual(
      merge && (pullRequest.squashed ? [destinationHash] : [destinationHash, sourceHash]),
    );
    expect(merge?.committer.date ?? null).toBe(pullRequest.mergeDate);
    squashed += pullRequest.squashed ? 1 : 0;
    const exists = wanted?.keepSourceBranch || wanted?.state === 'OPEN';
    expect(branches.get(sourceBranch)).toBe(exists ? sourceHash : undefined);
    expect(pullRequest.sourceBranchExists).toBe(exists);
  }
  expect(squashed).toBeGreaterThan(0);
});

test('an empty repository has no main branch and no commits', async () => {
  const empty = await store.generate(specOf('empty', { commits: 0, branches: 0, tags: 0, pullRequests: [] }));
  expect(empty).toMatchObject({ mainBranch: null, branches: [], tags: [], firstCommitDate: null });
  expect(await store.commits('empty', { include: [], exclude: [], skip: 0, limit: 10 })).toEqual([]);
  expect(await truthOf('empty')).toEqual([]);
});

test.each(['plain', 'odd'])(
  'the truth of the %s repository counts as git log does, commit by commit',
  async (key) => {
    const told = new Map<string, [number, number, number]>();
    const files = new Map<string, [number, number, number]>();
    for (const line of await truthOf(key)) {
      if (line.kind === 'commit') {
        told.set(line.hash, [line.lines_added, line.lines_removed, line.files_changed]);
        files.set(line.hash, [0, 0, 0]);
      }
      if (line.kind !== 'commit_file') continue;
      const sums = files.get(line.commit);
      if (!sums) throw new Error('a file came before its commit');
      sums[0] += line.lines_added ?? 0;
      sums[1] += line.lines_removed ?? 0;
      sums[2] += 1;
    }
    const counts = logCounts(pathOf(key));
    expect(counts.size).toBe(400);
    expect(told).toEqual(counts);
    expect(files).toEqual(counts);
  },
);

test('the odd repository holds what importers stumble over', async () => {
  const lines = await truthOf('odd');
  const commits = lines.filter((line) => line.kind === 'commit');
  const files = lines.filter((line) => line.kind === 'commit_file');
  const has = (wanted: Partial<(typeof commits)[number]>) =>
    commits.filter((commit) =>
      Object.entries(wanted).every(([name, value]) => commit[name as 'hash'] === value),
    );
  expect(commits.filter(({ parents }) => parents.length === 4)).toHaveLength(1);
  expect(commits.filter(({ parents }) => parents.length === 0).length).toBeGreaterThanOrEqual(4);
  expect(commits.some(({ parents, files_changed }) => parents.length === 1 && files_changed === 0)).toBe(
    true,
  );
  expect(has({ message: 'Änderung für Größe\n', encoding: 'iso-8859-1' })).toMatchObject([
    { author: { name: 'Jürgen Groß', zone: '+0200' } },
  ]);
  expect(has({ message: 'テスト\n', encoding: 'Shift_JIS' })).toHaveLength(1);
  expect(
    has({ message: null }).map((line) => Buffer.from(line.message_base64, 'base64').toString('latin1')),
  ).toEqual(expect.arrayContaining(['Änderung ohne Kopf\n']));
  expect(commits.some(({ author }) => author.name === '' && author.email === '')).toBe(true);
  expect(commits.some(({ author }) => author.name === null && author.name_base64 !== '')).toBe(true);
  expect(commits.map(({ author }) => author.date)).toEqual(
    expect.arrayContaining(['1970-01-01T00:00:00+00:00', '2100-01-01T00:00:00+00:00']),
  );
  expect(commits.some(({ message }) => (message?.length ?? 0) > 1_000_000)).toBe(true);
  expect(new Set(files.map(({ status }) => status))).toEqual(
    new Set(['added', 'modified', 'removed', 'renamed', 'type_changed']),
  );
  expect(files.some(({ binary, status }) => binary && status === 'added')).toBe(true);
  expect(
    files.some(({ path, old_path, status }) => status === 'renamed' && path === null && old_path === null),
  ).toBe(true);
  expect(files.map(({ path }) => path)).toEqual(
    expect.arrayContaining([
      'odd/tab\there.txt',
      'odd/new\nline.txt',
      'odd/"quoted".txt',
      'odd/module',
      'odd/🪣.txt',
    ]),
  );
  expect(lines).toContainEqual(expect.objectContaining({ kind: 'tag', name: 'odd/both', annotated: false }));
  expect(odd.branches.map(({ name }) => name)).toContain('odd/naïve-ブランチ-🪣');
  expect(odd.tags.map(({ name }) => name)).toContain('odd/ünïcode-🏷');
});

test('pages of commits make up the whole walk, children before parents', async () => {
  for (const [include, revisions] of [
    [[], ['--branches', '--tags']],
    [['develop'], ['develop']],
  ] as const) {
    const paged: string[] = [];
    for (let skip = 0; ; skip += 30) {
      const page = await store.commits('odd', { include: [...include], exclude: [], skip, limit: 30 });
      paged.push(...page.map(({ hash }) => hash));
      if (page.length < 30) break;
    }
    const walked = git(pathOf('odd'), ['rev-list', '--date-order', ...revisions, '--']);
    expect(paged).toEqual(walked.trim().split('\n'));
  }
});

test('a walk leaves out what is excluded, and follows a path', async () => {
  const [first] = plain.pullRequests.filter(({ mergeHash, squashed }) => mergeHash && !squashed);
  const side = await store.commits('plain', {
    include: [first?.sourceHash ?? ''],
    exclude: [first?.destinationHash ?? ''],
    skip: 0,
    limit: 100,
  });
  expect(side.map(({ hash }) => hash)).toEqual(first?.commitHashes);
  const onPath = await store.commits('odd', {
    include: [],
    exclude: [],
    path: 'odd/[glob]*?.txt',
    skip: 0,
    limit: 100,
  });
  expect(onPath.map(({ message }) => message)).toEqual([
    'Change files with odd names\n',
    'Add files with odd names\n',
  ]);
});

test('unknown revisions are named, and nothing but names and hashes reaches git', async () => {
  const walk = (include: string[]) => store.commits('plain', { include, exclude: [], skip: 0, limit: 1 });
  await expect(walk(['main', 'deadbeef', 'nowhere'])).rejects.toMatchObject({
    shas: ['deadbeef', 'nowhere'],
  });
  for (const name of ['--all', 'main@{0}', ':/Begin', 'main~1', 'main\nmain', '']) {
    await expect(walk([name])).rejects.toMatchObject({ name: 'UnknownRevisionError' });
    expect(await store.commit('plain', name)).toBeUndefined();
  }
  const [branch] = plain.branches;
  expect((await store.commit('plain', branch?.target.slice(0, 12) ?? ''))?.hash).toBe(branch?.target);
});

test('a diffstat reads source..destination, the reverse of git', async () => {
  const [pullRequest] = plain.pullRequests.filter(({ mergeHash }) => mergeHash !== null);
  const { sourceHash = '', destinationHash = '' } = pullRequest ?? {};
  const { rows, size } = await store.diffstat('plain', `${sourceHash}..${destinationHash}`, {
    skip: 0,
    limit: 500,
  });
  const counted = git(pathOf('plain'), ['diff', '--numstat', '-M', `${destinationHash}...${sourceHash}`]);
  expect(rows.map((row) => `${row.linesAdded}\t${row.linesRemoved}`)).toEqual(
    counted
      .trim()
      .split('\n')
      .map((line) => line.split('\t', 2).join('\t')),
  );
  expect(size).toBe(rows.length);
  const page = await store.diffstat('plain', `${sourceHash}..${destinationHash}`, { skip: 1, limit: 1 });
  expect(page).toEqual({ size, rows: rows.slice(1, 2) });
  await expect(store.diffstat('odd', 'gh-pages..main', { skip: 0, limit: 1 })).rejects.toMatchObject({
    name: 'NoCommonHistoryError',
  });
});
