import type { ImportMode, Stream } from '../words.ts';
import type { OfRepository } from './tenant.ts';
import type { Limited } from './waiting.ts';

/** For the operator: the same that the API shows. Left out where nothing is known. */
export interface Outlook {
  requestsLeft?: number | null;
  /** ISO time */
  estimatedEnd?: string | null;
}

export interface ChunkResult extends Outlook {
  /** every stream asked for is at its end */
  done: boolean;
  /** of a small repository: what git has is read; what is left is the API's */
  gitDone?: true;
  /** the stream in hand when the chunk ended, for the operator */
  stream: Stream | null;
  requests: number;
  records: number;
  /** records expected in all streams of this repository, where known so far: for the operator */
  expected?: number | null;
  /** records stored in all streams of this repository by this import, whichever attempt stored them */
  stored?: number;
  limited?: Limited;
}

/** Queue: bitbucket. */
export interface StreamActivities {
  /** refs and commits of one repository from git, in one activity (clone or fetch, then stream). */
  importGit(input: OfRepository & { importId: string; mode: ImportMode }): Promise<ChunkResult>;
  /**
   * One bounded chunk (25 requests, 3 minutes or 5,000 rows) over streams that are read from the API, from their
   * checkpoints: all of those that are asked for, refs and commits too.
   */
  importChunk(
    input: OfRepository & {
      importId: string;
      mode: ImportMode;
      streams: Stream[];
      /** git is read at the same time: pull requests are not linked to their commits at the end */
      linksLater?: true;
      /** a smaller chunk: so many requests at most */
      requests?: number;
    },
  ): Promise<ChunkResult>;
  /** A small repository: `importGit`, then `importChunk` over these streams, which ends by the chunk's bounds. */
  importSmall(
    input: OfRepository & { importId: string; mode: ImportMode; streams: Stream[] },
  ): Promise<ChunkResult>;
  /** Links pull requests to their commits, once both are there. Repeatable. */
  linkCommits(input: OfRepository & { importId: string; mode: ImportMode }): Promise<ChunkResult>;
}
