import type { Git } from './process.ts';

export interface Walk {
  /** commits from which the walk goes down */
  heads: readonly string[];
  /** commits whose whole history is left out */
  without: readonly string[];
}

const walkLines = (walk: Walk): string[] => [
  ...walk.heads.map((hash) => `${hash}\n`),
  ...walk.without.map((hash) => `^${hash}\n`),
];

/** Every commit of the walk, parents before children, in an order that the commits alone decide. */
export async function* listCommits(
  git: Git,
  folder: string,
  walk: Walk,
  signal: AbortSignal,
): AsyncGenerator<string> {
  if (walk.heads.length === 0) return;
  const args = ['rev-list', '--reverse', '--topo-order', '--stdin'];
  const list = git.start({ folder, args, input: walkLines(walk), signal });
  let open = '';
  try {
    for await (const chunk of list.output) {
      const lines = (open + chunk.toString('latin1')).split('\n');
      open = lines.pop() ?? '';
      yield* lines;
    }
    await list.finished;
  } finally {
    list.stop();
  }
}

export async function countCommits(
  git: Git,
  folder: string,
  walk: Walk,
  signal: AbortSignal,
): Promise<number> {
  if (walk.heads.length === 0) return 0;
  const args = ['rev-list', '--count', '--stdin'];
  return Number(await git.text({ folder, args, input: walkLines(walk), signal }));
}

/** Which of these commits the clone has. After a force push the host may no longer give what it gave before. */
export async function presentCommits(
  git: Git,
  folder: string,
  hashes: readonly string[],
  signal: AbortSignal,
): Promise<string[]> {
  if (hashes.length === 0) return [];
  const args = ['cat-file', '--batch-check=%(objectname) %(objecttype)', '--buffer'];
  const input = hashes.map((hash) => `${hash}\n`);
  const lines = (await git.text({ folder, args, input, signal })).split('\n');
  return hashes.filter((hash, at) => lines[at] === `${hash} commit`);
}
