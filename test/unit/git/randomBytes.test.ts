import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readCommits, type Commit } from '../../../activities/git/commitReader.ts';
import { createGit } from '../../../activities/git/process.ts';
import { unescapeToBytes } from '../../../db/text.ts';
import { createTestRepository, type TestRepository } from '../../support/gitRepository.ts';
import { seededRandom } from '../../support/seededRandom.ts';
import { seeds, seedsTimeoutMs } from '../../support/seeds.ts';

/**
 * Commits with any bytes in their paths, names and messages, read by the engine and held against what was written and
 * what git's own plumbing says of them.
 */
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'random-bytes-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const COMMITS = 12;

type Random = () => number;
const below = (random: Random, limit: number): number => Math.floor(random() * limit);

/** Bytes that a parser may trip over come more often than others. */
const ODD = [
  0x00, 0x09, 0x0a, 0x0d, 0x1a, 0x20, 0x22, 0x2d, 0x3c, 0x3e, 0x5c, 0x7f, 0x80, 0xbf, 0xc0, 0xed, 0xf5, 0xff,
];
const bytes = (random: Random, length: number, without: readonly number[]): Buffer =>
  Buffer.from(
    Array.from({ length }, () => {
      for (;;) {
        const byte = random() < 0.4 ? ODD[below(random, ODD.length)]! : below(random, 256);
        if (!without.includes(byte)) return byte;
      }
    }),
  );

/** A name that a tree may hold: no NUL, no slash, nothing that git reserves. */
function fileName(random: Random): Buffer {
  const name = bytes(random, 1 + below(random, 24), [0x00, 0x2f]);
  return /^(\.|\.\.|\.git)$/i.test(name.toString('latin1')) ? Buffer.from('plain') : name;
}

/** C-style quoting takes every byte (git-fast-import(1), "filemodify"). */
const quoted = (path: Buffer): string =>
  `"${[...path].map((byte) => `\\${byte.toString(8).padStart(3, '0')}`).join('')}"`;

const data = (content: Buffer): Buffer =>
  Buffer.concat([Buffer.from(`data ${String(content.length)}\n`), content, Buffer.from('\n')]);

/** A line of commits, each of which adds, changes and removes some files. */
function write(repository: TestRepository, random: Random): void {
  const parts: (Buffer | string)[] = [];
  const paths = new Map<string, Buffer>();
  for (let index = 1; index <= COMMITS; index += 1) {
    const person = (role: string): void => {
      const name = bytes(random, below(random, 12), [0x00, 0x0a, 0x3c, 0x3e]);
      const email = bytes(random, below(random, 8), [0x00, 0x0a, 0x3c, 0x3e]);
      parts.push(`${role} `, name, ' <', email, `> ${String(1_600_000_000 + index)} +0000\n`);
    };
    parts.push(`commit refs/heads/main\nmark :${String(index)}\n`);
    person('author');
    person('committer');
    parts.push(data(bytes(random, below(random, 200), [])));
    if (index > 1) parts.push(`from :${String(index - 1)}\n`);
    for (const [key, path] of paths) {
      if (random() > 0.2) continue;
      paths.delete(key);
      parts.push(`D ${quoted(path)}\n`);
    }
    for (let count = below(random, 4); count > 0; count -= 1) {
      const path = random() < 0.5 && paths.size > 0 ? [...paths.values()][0]! : fileName(random);
      paths.set(path.toString('hex'), path);
      // Contents that share no line, so that nothing is taken for a rename.
      const lines = Array.from({ length: 1 + below(random, 5) }, () => `${String(random())}\n`);
      parts.push(`M 100644 inline ${quoted(path)}\n`, data(Buffer.from(lines.join(''))));
    }
  }
  repository.git(['fast-import', '--quiet'], Buffer.concat(parts.map((part) => Buffer.from(part as string))));
}

/** What `git diff-tree` says that a commit changed, by path bytes in hex. */
function changesOf(repository: TestRepository, hash: string): Map<string, string> {
  const args = ['diff-tree', '-r', '-z', '--root', '--no-renames', '--numstat', '--no-commit-id', hash];
  const tokens = repository.git(args).toString('latin1').split('\0');
  return new Map(
    tokens
      .filter((token) => token !== '')
      .map((token) => {
        const [added = '', removed = '', ...path] = token.split('\t');
        return [Buffer.from(path.join('\t'), 'latin1').toString('hex'), `+${added} -${removed}`];
      }),
  );
}

const hex = (stored: string): string => Buffer.from(unescapeToBytes(stored)).toString('hex');

/** As `changesOf`. */
function readChanges(commit: Commit): Map<string, string> {
  return new Map(
    commit.files.map((file) => [
      hex(file.path),
      `+${String(file.linesAdded ?? '-')} -${String(file.linesRemoved ?? '-')}`,
    ]),
  );
}

test('are read to the byte', { timeout: seedsTimeoutMs() }, async () => {
  const git = createGit({ home: folder, protocols: [] });
  for (const seed of seeds(10)) {
    const repository = createTestRepository(join(folder, `${String(seed)}.git`));
    write(repository, seededRandom(seed));
    const hashes = repository.lines(['rev-list', '--reverse', 'main']);
    expect(hashes).toHaveLength(COMMITS);
    const read: Commit[] = [];
    const signal = new AbortController().signal;
    for await (const commit of readCommits(git, repository.path, hashes, signal)) read.push(commit);
    expect(read.map(({ hash }) => hash)).toEqual(hashes);
    for (const commit of read) {
      const told = `seed ${String(seed)}, commit ${commit.hash}`;
      const object = repository.git(['cat-file', 'commit', commit.hash]);
      const message = object.subarray(object.indexOf('\n\n') + 2);
      if (commit.rawBytes === null) expect(Buffer.from(commit.message).equals(message), told).toBe(true);
      else expect(commit.rawBytes.equals(object), told).toBe(true);
      expect(commit.message, told).toBe(message.toString('utf8'));
      expect(readChanges(commit), told).toEqual(changesOf(repository, commit.hash));
    }
    // A thousand of them take longer to remove than a hook may.
    await rm(repository.path, { recursive: true });
  }
});
