import { type DiffOptions, diffPairs, type FileDiff } from './diffPairs.ts';
import { GitError, type GitProcesses } from './gitProcess.ts';
import { type DiffstatRecord, NoCommonHistoryError } from './store.ts';

/**
 * All rows of a diffstat (facts 3.6). `hashes` is one commit, compared with its first parent, or source and
 * destination: what merging the source would change, from their merge base unless `topic` is false.
 */
export async function computeDiffstat(
  processes: GitProcesses,
  path: string,
  hashes: string[],
  { topic = true, ...options }: DiffOptions & { topic?: boolean },
): Promise<DiffstatRecord[]> {
  const [source = '', destination] = hashes;
  const base =
    destination === undefined
      ? await firstParent(processes, path, source)
      : topic
        ? await mergeBase(processes, path, source, destination)
        : destination;
  const pair = base === undefined ? source : `${source} ${base}`;
  const rows: DiffstatRecord[] = [];
  for await (const { files } of diffPairs(processes, path, [pair], options)) rows.push(...files.map(toRow));
  return rows;
}

async function firstParent(processes: GitProcesses, path: string, hash: string): Promise<string | undefined> {
  const line = await processes.run(['--git-dir', path, 'rev-list', '--parents', '--max-count=1', hash]);
  return line.toString('latin1').trim().split(' ')[1];
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
