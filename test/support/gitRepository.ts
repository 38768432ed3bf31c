import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { deflateSync } from 'node:zlib';

export interface TestRepository {
  readonly path: string;
  /** runs git in it and gives its output */
  git(args: readonly string[], input?: string | Buffer): Buffer;
  lines(args: readonly string[], input?: string | Buffer): string[];
  /** any bytes as an object; gives its hash */
  object(type: 'commit' | 'tree' | 'blob' | 'tag', bytes: string | Buffer): string;
  /** a tree of these paths (one level) with their contents */
  tree(files: readonly { name: Buffer | string; content: Buffer | string }[]): string;
}

/** A bare repository for tests, made with git's plumbing so that it may hold what porcelain would refuse. */
export function createTestRepository(path: string): TestRepository {
  mkdirSync(path, { recursive: true });
  const git = (args: readonly string[], input: string | Buffer = '') =>
    execFileSync('git', ['--git-dir', path, ...args], {
      input,
      maxBuffer: 1 << 30,
      env: {
        PATH: process.env['PATH'],
        GIT_CONFIG_NOSYSTEM: '1',
        GIT_CONFIG_GLOBAL: '/dev/null',
        HOME: path,
      },
    });
  execFileSync('git', ['init', '--quiet', '--bare', '--template=', '--initial-branch=main', path]);
  // A loose object as gitformat-loose(5) describes it: thousands of processes less than with `git hash-object`.
  const object: TestRepository['object'] = (type, bytes) => {
    const content = Buffer.from(bytes as string);
    const whole = Buffer.concat([Buffer.from(`${type} ${content.length}\0`), content]);
    const hash = createHash('sha1').update(whole).digest('hex');
    const folder = join(path, 'objects', hash.slice(0, 2));
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, hash.slice(2)), deflateSync(whole));
    return hash;
  };
  return {
    path,
    git,
    lines: (args, input) =>
      git(args, input)
        .toString()
        .split('\n')
        .filter((line) => line !== ''),
    object,
    tree: (files) => {
      const entries = files
        .map(({ name, content }) => ({ name: Buffer.from(name as string), hash: object('blob', content) }))
        .toSorted((a, b) => Buffer.compare(a.name, b.name))
        .map(({ name, hash }) =>
          Buffer.concat([Buffer.from('100644 '), name, Buffer.from([0]), Buffer.from(hash, 'hex')]),
        );
      return object('tree', Buffer.concat(entries));
    },
  };
}
