import { createObjectParser, type GitObject } from './objectParser.ts';
import type { Git } from './process.ts';

/** The objects of these hashes, in this order, one after the other in memory. Throws ObjectMissing. */
export async function* readObjects(
  git: Git,
  folder: string,
  hashes: readonly string[],
  signal: AbortSignal,
): AsyncGenerator<GitObject> {
  if (hashes.length === 0) return;
  const parser = createObjectParser();
  const input = hashes.map((hash) => `${hash}\n`);
  const catFile = git.start({ folder, args: ['cat-file', '--batch', '--buffer'], input, signal });
  try {
    for await (const chunk of catFile.output) yield* parser.push(chunk);
    await catFile.finished;
    parser.end();
  } finally {
    catFile.stop();
  }
}
