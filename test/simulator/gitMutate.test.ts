import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createGitStore } from '../../simulator/git/createGitStore.ts';
import type { GeneratedRepository, GenerateSpec, GitStore } from '../../simulator/git/store.ts';
import { git, temporaryFolder } from './support/localGit.ts';

const ADA = { name: 'Ada', email: 'ada@example.test' };
const SPEC: GenerateSpec = {
  key: 'moving',
  seed: 5,
  commits: 60,
  branches: 3,
  tags: 2,
  authors: [ADA],
  pullRequests: [],
};

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let store: GitStore;
let repository: GeneratedRepository;

beforeAll(async () => {
  folder = await temporaryFolder();
  store = createGitStore({ folder: folder.path, path: process.env['PATH'] ?? '' });
  repository = await store.generate(SPEC);
});

afterAll(async () => {
  await store.close();
  await folder.remove();
});

const tipOf = async (name: string) => (await store.refs('moving')).find((ref) => ref.name === name)?.target;
const push = (branch: string, messages: string[], onto?: string) =>
  store.mutate('moving', {
    kind: 'push',
    branch,
    commits: messages.map((message) => ({ message, author: ADA })),
    ...(onto === undefined ? {} : { onto }),
  });

test('a push adds commits that are seen at once', async () => {
  const before = await tipOf('main');
  const everything = () => store.commits('moving', { include: [], exclude: [], skip: 0, limit: 100 });
  expect(await everything()).toHaveLength(60);
  const changed = await push('main', ['One\n', 'Two\n']);
  expect(await everything()).toHaveLength(62);
  expect(changed.refs).toEqual([
    { kind: 'branch', name: 'main', before, after: changed.newCommits[1], forced: false },
  ]);
  const commits = await store.commits('moving', {
    include: ['main'],
    exclude: [before ?? ''],
    skip: 0,
    limit: 10,
  });
  expect(commits.map(({ message }) => message)).toEqual(['Two\n', 'One\n']);
  expect(commits.map(({ hash }) => hash)).toEqual(changed.newCommits.toReversed());
});

test('a force-push leaves the old commits readable but unreachable', async () => {
  const old = await tipOf('main');
  const [root = ''] = git(join(folder.path, 'moving.git'), ['rev-list', '--max-parents=0', 'main']).split(
    '\n',
  );
  const changed = await push('main', ['Anew\n'], root);
  expect(changed.refs).toMatchObject([{ before: old, after: changed.newCommits[0], forced: true }]);
  const walk = await store.commits('moving', { include: ['main'], exclude: [], skip: 0, limit: 100 });
  expect(walk.map(({ hash }) => hash)).toEqual([changed.newCommits[0], root]);
  expect((await store.commit('moving', old ?? ''))?.hash).toBe(old);
});

test('branches and tags come and go', async () => {
  const target = (await tipOf('main')) ?? '';
  await store.mutate('moving', { kind: 'createBranch', name: 'new/one', target: 'main' });
  await store.mutate('moving', { kind: 'createTag', name: 'light', target });
  await store.mutate('moving', { kind: 'createTag', name: 'heavy', target, message: 'Told\n' });
  const refs = await store.refs('moving');
  expect(refs).toContainEqual(expect.objectContaining({ kind: 'branch', name: 'new/one', target }));
  expect(refs).toContainEqual(expect.objectContaining({ name: 'light', target, annotated: false }));
  expect(refs).toContainEqual(expect.objectContaining({ name: 'heavy', target, message: 'Told\n' }));
  for (const name of ['light', 'heavy']) await store.mutate('moving', { kind: 'deleteTag', name });
  const gone = await store.mutate('moving', { kind: 'deleteBranch', name: 'new/one' });
  expect(gone.refs).toEqual([
    { kind: 'branch', name: 'new/one', before: target, after: null, forced: false },
  ]);
  expect((await store.refs('moving')).some(({ name }) => ['light', 'heavy', 'new/one'].includes(name))).toBe(
    false,
  );
});

test('a merge joins both sides, a squash only their contents', async () => {
  for (const squash of [false, true]) {
    const source = `topic-${squash}`;
    await push(source, ['Side one\n', 'Side two\n']);
    const [sourceTip, before] = [await tipOf(source), await tipOf('main')];
    await push('main', ['Meanwhile\n']);
    const destination = await tipOf('main');
    const { newCommits, refs } = await store.mutate('moving', {
      kind: 'merge',
      source,
      destination: 'main',
      message: 'Merged\n',
      author: ADA,
      squash,
      closeSource: true,
    });
    const merge = await store.commit('moving', newCommits[0] ?? '');
    expect(merge?.parents).toEqual(squash ? [destination] : [destination, sourceTip]);
    expect(refs.map(({ name, after }) => [name, after === null])).toEqual([
      ['main', false],
      [source, true],
    ]);
    const brought = await store.diffstat('moving', newCommits[0] ?? '', { skip: 0, limit: 10 });
    const side = await store.diffstat('moving', `${sourceTip}..${before}`, { skip: 0, limit: 10 });
    expect(brought).toEqual(side);
    expect(brought.size).toBe(2);
  }
});

test('a commit that a force-push left behind is known until garbage is collected', async () => {
  const base = await tipOf('main');
  const { newCommits } = await push('main', ['Left behind\n']);
  const [left = ''] = newCommits;
  await push('main', ['In its place\n'], base);
  expect(await store.commit('moving', left)).toMatchObject({ hash: left });
  await store.mutate('moving', { kind: 'collectGarbage' });
  expect(await store.commit('moving', left)).toBeUndefined();
  expect(await store.commit('moving', base ?? '')).toMatchObject({ hash: base });
});

test('generating the same again builds it afresh', async () => {
  await push('main', ['Changed\n']);
  expect(await store.generate(SPEC)).toEqual(repository);
  expect(await tipOf('main')).toBe(repository.branches.find(({ name }) => name === 'main')?.target);
});
