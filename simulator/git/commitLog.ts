import type { GitProcesses } from './gitProcess.ts';
import type { ObjectReader } from './objectReader.ts';
import { decodeLossy, parseObject, toSignature } from './objectText.ts';
import type { CommitRecord } from './store.ts';

const HASH_BYTES = 20;

/**
 * The hashes of a walk, newest first and children before parents (facts 3.6), 20 bytes each: a walk of
 * 100,000 commits is kept for its next pages in 2 MB.
 */
export async function walkCommits(
  processes: GitProcesses,
  path: string,
  walk: { include: string[]; exclude: string[]; path?: string },
): Promise<Buffer> {
  const everything = walk.include.length > 0 ? [] : ['--branches', '--tags'];
  const input = [...walk.include, ...walk.exclude.map((hash) => `^${hash}`)];
  const limits = walk.path === undefined ? [] : ['--', walk.path];
  const listed = await processes.run(
    ['--git-dir', path, 'rev-list', '--date-order', ...everything, '--stdin', ...limits],
    `${input.join('\n')}\n`,
  );
  const hashes = Buffer.alloc((listed.length / (2 * HASH_BYTES + 1)) * HASH_BYTES);
  for (let from = 0, to = 0; from < listed.length; from += 2 * HASH_BYTES + 1, to += HASH_BYTES) {
    hashes.write(listed.toString('latin1', from, from + 2 * HASH_BYTES), to, 'hex');
  }
  return hashes;
}

/** One page of a walk. */
export function pageOfWalk(hashes: Buffer, skip: number, limit: number): string[] {
  const page: string[] = [];
  const end = Math.min(hashes.length, (skip + limit) * HASH_BYTES);
  for (let at = skip * HASH_BYTES; at < end; at += HASH_BYTES) {
    page.push(hashes.toString('hex', at, at + HASH_BYTES));
  }
  return page;
}

/** Reads one commit; at the edge of a shallow repository it has no parents, as git shows it. */
export async function readCommit(
  reader: ObjectReader,
  shallow: ReadonlySet<string>,
  hash: string,
): Promise<CommitRecord> {
  const object = await reader.read(hash);
  if (object?.type !== 'commit') throw new Error(`Commit ${hash} is gone from the repository`);
  const { parents, author, committer, encoding, message } = parseObject(object.data);
  return {
    hash,
    parents: shallow.has(hash) ? [] : parents,
    author: toSignature(author, encoding),
    committer: toSignature(committer, encoding),
    message: decodeLossy(message, encoding),
  };
}
