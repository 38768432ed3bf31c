import { type DiffOptions, diffPairs, type FileDiff } from './diffPairs.ts';
import { GitError, type GitProcesses } from './gitProcess.ts';
import { type DiffstatRecord, NoCommonHistoryError } from './store.ts';

type Options = DiffOptions & { topic?: boolean };

/** Whoever asks for one commit's rows mostly asks for its ancestors' next: so many come from the same git process. */
const AT_ONCE = 256;
/** Rows that are worked out ahead of being asked for. */
const ROWS_AHEAD = 5_000;

export interface Diffstats {
  /**
   * All rows of a diffstat (facts 3.6). `hashes` is one commit, compared with its first parent, or source and
   * destination: what merging the source would change, from their merge base unless `topic` is false.
   */
  of(path: string, hashes: string[], options: Options): Promise<DiffstatRecord[]>;
}

export function createDiffstats(processes: GitProcesses): Diffstats {
  /** by repository, options and commit */
  const ahead = new Map<string, DiffstatRecord[]>();
  let rowsAhead = 0;

  async function ofCommit(path: string, hash: string, options: DiffOptions): Promise<DiffstatRecord[]> {
    const keyOf = (commit: string): string => JSON.stringify([path, options, commit]);
    const known = ahead.get(keyOf(hash));
    if (known !== undefined) return known;
    if (rowsAhead > ROWS_AHEAD) {
      ahead.clear();
      rowsAhead = 0;
    }
    const lines = await processes.run([
      '--git-dir',
      path,
      'rev-list',
      '--parents',
      `--max-count=${AT_ONCE}`,
      hash,
    ]);
    // A commit and its first parent; the commit alone for the empty tree.
    const pairs = lines.toString('latin1').trim().split('\n');
    const firstParents = pairs.map((line) => line.split(' ').slice(0, 2).join(' '));
    let rows: DiffstatRecord[] = [];
    for await (const { commit, files } of diffPairs(processes, path, firstParents, options)) {
      const found = files.map(toRow);
      if (commit === hash) rows = found;
      else {
        ahead.set(keyOf(commit), found);
        rowsAhead += found.length + 1;
      }
      if (rowsAhead > ROWS_AHEAD) break;
    }
    return rows;
  }

  return {
    async of(path, hashes, { topic = true, ...options }) {
      const [source = '', destination] = hashes;
      if (destination === undefined) return ofCommit(path, source, options);
      const base = topic ? await mergeBase(processes, path, source, destination) : destination;
      const rows: DiffstatRecord[] = [];
      for await (const { files } of diffPairs(processes, path, [`${source} ${base}`], options)) {
        rows.push(...files.map(toRow));
      }
      return rows;
    },
  };
}

async function mergeBase(processes: GitProcesses, path: string, one: string, other: string): Promise<string> {
  try {
    return (await processes.run(['--git-dir', path, 'merge-base', one, other])).toString('latin1').trim();
  } catch (error) {
    if (error instanceof GitError && error.exitCode === 1) throw new NoCommonHistoryError(`${one}..${other}`);
    throw error;
  }
}

function toRow(file: FileDiff): DiffstatRecord {
  const status = STATUS[file.status] ?? 'modified';
  const path = file.path.toString('utf8');
  return {
    status,
    oldPath: status === 'added' ? null : (file.oldPath?.toString('utf8') ?? path),
    newPath: status === 'removed' ? null : path,
    linesAdded: file.linesAdded ?? 0,
    linesRemoved: file.linesRemoved ?? 0,
  };
}

const STATUS: Record<string, DiffstatRecord['status']> = { A: 'added', D: 'removed', R: 'renamed' };
