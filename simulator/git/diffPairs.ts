import { exitOf, type GitProcesses } from './gitProcess.ts';

/** One changed file between a commit and another. Paths are bytes, as git keeps them. */
export interface FileDiff {
  /** Git's letter: A, D, M, R (renamed) or T (a file became a link, or the like). */
  status: string;
  path: Buffer;
  /** Set for R only. */
  oldPath: Buffer | null;
  /** Null for a binary file. */
  linesAdded: number | null;
  linesRemoved: number | null;
}

export interface CommitDiff {
  commit: string;
  files: FileDiff[];
}

export interface DiffOptions {
  path?: string;
  renames?: boolean;
  ignoreWhitespace?: boolean;
}

/**
 * Compares pairs of commits in one `git diff-tree` process. A line of `pairs` is `commit base`, or `commit`
 * alone for the empty tree. Renames as git finds them by default: half the lines alike, and at most
 * `diff.renameLimit` (1,000) candidates.
 */
export async function* diffPairs(
  processes: GitProcesses,
  repository: string,
  pairs: string[],
  options: DiffOptions = {},
): AsyncGenerator<CommitDiff> {
  const args = ['--git-dir', repository, 'diff-tree', '--stdin', '--root', '--always', '-r', '-z'];
  args.push('--raw', '--numstat', options.renames === false ? '--no-renames' : '-M');
  if (options.ignoreWhitespace) args.push('-w');
  if (options.path !== undefined) args.push('--', options.path);
  const child = await processes.start(args);
  const ended = exitOf(child, ['diff-tree']);
  ended.catch(() => {});
  child.stdin.end(`${pairs.join('\n')}\n`);
  const parser = createDiffParser();
  let rest: Buffer = Buffer.alloc(0);
  try {
    for await (const chunk of child.stdout) {
      const data: Buffer = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      let at = 0;
      for (let end = data.indexOf(0, at); end !== -1; end = data.indexOf(0, at)) {
        const complete = parser.take(data.subarray(at, end));
        if (complete) yield complete;
        at = end + 1;
      }
      rest = data.subarray(at);
    }
    await ended;
  } finally {
    child.kill('SIGKILL');
  }
  const last = parser.end();
  if (last) yield last;
}

/** Takes the NUL-ended words one after another; returns a commit's files once the next commit begins. */
function createDiffParser(): { take(word: Buffer): CommitDiff | null; end(): CommitDiff | null } {
  let current: CommitDiff | null = null;
  /** Called with the words that belong to a record which has begun: its paths. */
  let expected: ((word: Buffer) => void)[] = [];
  let counted = 0;

  function begin(word: Buffer): CommitDiff | null {
    const before = current;
    current = { commit: word.toString('latin1'), files: [] };
    counted = 0;
    return before;
  }

  /** `:100644 100755 <hash> <hash> R087`, then the path, or the old and the new one. */
  function takeRaw(word: Buffer): void {
    const status = word.toString('latin1', word.lastIndexOf(32) + 1)[0] ?? '';
    const file: FileDiff = { status, path: word, oldPath: null, linesAdded: null, linesRemoved: null };
    current?.files.push(file);
    expected.push((path) => {
      file.path = path;
    });
    if (status !== 'R') return;
    expected.unshift((path) => {
      file.oldPath = path;
    });
  }

  /** `added TAB removed TAB path`, in the order of the raw records; a renamed one has its paths in two more words. */
  function takeCounts(word: Buffer): void {
    const [added = '', removed = ''] = word.toString('latin1', 0, 32).split('\t');
    const file = current?.files[counted];
    counted += 1;
    if (!file) throw new Error('git diff-tree counted a file it did not list');
    if (file.status === 'R') expected = [() => {}, () => {}];
    if (added === '-') return;
    file.linesAdded = Number(added);
    file.linesRemoved = Number(removed);
  }

  return {
    take(word) {
      const next = expected.shift();
      if (next) next(word);
      else if (word[0] === 58) takeRaw(word);
      else if (word.indexOf(9) === -1) return begin(word);
      else takeCounts(word);
      return null;
    },
    end: () => current,
  };
}
