import { readCommitObject, type CommitObject } from './commitObject.ts';
import { createNumstatParser, type CommitChanges, type FileChange } from './numstatParser.ts';
import { ObjectMissing } from './objectParser.ts';
import { readObjects } from './objects.ts';
import type { Git } from './process.ts';

export interface Commit extends CommitObject {
  files: FileChange[];
}

/** One git process reads so many commits: it keeps a little of each in memory. */
const COMMITS_A_PROCESS = 4_000;

/**
 * The commits of these hashes in this order: the object's own bytes from `git cat-file`, and beside it what
 * each changes against its first parent from `git log --numstat` (design 6.1). Nothing is held but what both
 * have read ahead in their pipes.
 */
export async function* readCommits(
  git: Git,
  folder: string,
  hashes: AsyncIterable<string> | Iterable<string>,
  signal: AbortSignal,
): AsyncGenerator<Commit> {
  let part: string[] = [];
  for await (const hash of hashes) {
    part.push(hash);
    if (part.length < COMMITS_A_PROCESS) continue;
    yield* readPart(git, folder, part, signal);
    part = [];
  }
  yield* readPart(git, folder, part, signal);
}

async function* readPart(
  git: Git,
  folder: string,
  hashes: readonly string[],
  signal: AbortSignal,
): AsyncGenerator<Commit> {
  const changes = readChanges(git, folder, hashes, signal);
  try {
    for await (const object of readObjects(git, folder, hashes, signal)) {
      const next = await changes.next();
      if (next.done === true || next.value.hash !== object.hash || object.type !== 'commit') {
        throw new ObjectMissing(`git log and git cat-file disagree about ${object.hash}.`);
      }
      yield { ...readCommitObject(object.hash, object.bytes), files: next.value.files };
    }
    // to its end: only then is git's exit code known
    await changes.next();
  } finally {
    await changes.return(undefined);
  }
}

async function* readChanges(
  git: Git,
  folder: string,
  hashes: readonly string[],
  signal: AbortSignal,
): AsyncGenerator<CommitChanges> {
  if (hashes.length === 0) return;
  const parser = createNumstatParser();
  const log = git.start({
    folder,
    args: [
      'log',
      '--no-walk=unsorted',
      '--stdin',
      '-z',
      '--numstat',
      '-M',
      '--root',
      '--diff-merges=first-parent',
      '--no-ext-diff',
      '--no-textconv',
      '--no-color',
      '--no-decorate',
      '--no-mailmap',
      '--no-show-signature',
      '--format=%H',
    ],
    input: hashes.map((hash) => `${hash}\n`),
    signal,
  });
  try {
    for await (const chunk of log.output) yield* parser.push(chunk);
    await log.finished;
    yield* parser.end();
  } finally {
    log.stop();
  }
}
