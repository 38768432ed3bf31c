import type { AdoptedPullRequest, GitPullRequest } from '../git/store.ts';
import { type Micros, parseMicros } from './time.ts';

/** The git side of one pull request, as the model needs it. */
export interface PullRequestGit {
  sourceHash: string;
  destinationHash: string;
  mergeHash: string | null;
  firstCommit: Micros;
  lastCommit: Micros;
  merged: Micros | null;
  author: { name: string; email: string } | undefined;
  mergedBy: { name: string; email: string } | undefined;
  branch: string;
  destinationBranch: string;
  title: string | undefined;
  description: string | undefined;
}

/** The git side of all pull requests, numbered from 1. */
export interface GitColumns {
  count: number;
  get(number: number): PullRequestGit;
}

const HASH_BYTES = 20;

/**
 * Keeps what a generated repository has in flat buffers (about 90 bytes a pull request instead of a
 * kilobyte), since it stays in memory for up to 100,000 of them. Branch names come from the plan again.
 */
export function generatedColumns(
  pullRequests: GitPullRequest[],
  branchOf: (number: number) => string,
): GitColumns {
  const count = pullRequests.length;
  const hashes = Buffer.alloc(count * HASH_BYTES * 3);
  const times = new Float64Array(count * 3);
  for (const [index, entry] of pullRequests.entries()) {
    const at = index * HASH_BYTES * 3;
    hashes.write(entry.sourceHash, at, 'hex');
    hashes.write(entry.destinationHash, at + HASH_BYTES, 'hex');
    if (entry.mergeHash !== null) hashes.write(entry.mergeHash, at + 2 * HASH_BYTES, 'hex');
    times[index * 3] = parseMicros(entry.createdDate) ?? 0;
    times[index * 3 + 1] = parseMicros(entry.updatedDate) ?? 0;
    times[index * 3 + 2] = entry.mergeDate === null ? Number.NaN : (parseMicros(entry.mergeDate) ?? 0);
  }
  const hash = (index: number, which: number): string => {
    const at = (index * 3 + which) * HASH_BYTES;
    return hashes.toString('hex', at, at + HASH_BYTES);
  };
  return {
    count,
    get(number) {
      const index = number - 1;
      const merged = times[index * 3 + 2] ?? Number.NaN;
      return {
        sourceHash: hash(index, 0),
        destinationHash: hash(index, 1),
        mergeHash: Number.isNaN(merged) ? null : hash(index, 2),
        firstCommit: times[index * 3] ?? 0,
        lastCommit: times[index * 3 + 1] ?? 0,
        merged: Number.isNaN(merged) ? null : merged,
        author: undefined,
        mergedBy: undefined,
        branch: branchOf(number),
        destinationBranch: 'main',
        title: undefined,
        description: undefined,
      };
    },
  };
}

/** Derived pull requests of a real history are kept as they are: their texts are real. */
export function adoptedColumns(pullRequests: AdoptedPullRequest[]): GitColumns {
  return {
    count: pullRequests.length,
    get(number) {
      const entry = pullRequests[number - 1];
      if (entry === undefined) throw new RangeError(`no pull request ${number}`);
      return {
        sourceHash: entry.sourceHash,
        destinationHash: entry.destinationHash,
        mergeHash: entry.mergeHash,
        firstCommit: parseMicros(entry.createdDate) ?? 0,
        lastCommit: parseMicros(entry.updatedDate) ?? 0,
        merged: entry.mergeDate === null ? null : (parseMicros(entry.mergeDate) ?? 0),
        author: entry.author,
        mergedBy: entry.mergedBy ?? undefined,
        branch: entry.sourceBranch,
        destinationBranch: entry.destinationBranch,
        title: entry.title,
        description: entry.description,
      };
    },
  };
}
