import type { Git } from './process.ts';
import { listCommits, presentCommits } from './revisionList.ts';

/**
 * Whether nothing that was completed earlier is left behind the heads of now. Either all of the history was written anew,
 * or this is the clone of another repository, which got the name of this one.
 */
export async function sharesNothing(
  { git, folder, signal }: { git: Git; folder: string; signal: AbortSignal },
  completed: readonly string[],
  heads: readonly string[],
): Promise<boolean> {
  const now = new Set(heads);
  if (completed.length === 0 || completed.some((hash) => now.has(hash))) return false;
  const lost = new Set(await presentCommits(git, folder, completed, signal));
  const present = lost.size;
  let behind = 0;
  for await (const hash of listCommits(git, folder, { heads: [...lost], without: heads }, signal))
    if (lost.has(hash)) behind += 1;
  return behind === present;
}
