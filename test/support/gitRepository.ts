import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';

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
  const object: TestRepository['object'] = (type, bytes) =>
    git(['hash-object', '-t', type, '-w', '--literally', '--stdin'], Buffer.from(bytes as string))
      .toString()
      .trim();
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
