import type { IncomingMessage, ServerResponse } from 'node:http';
import type { GitTruth } from './gitTruth.ts';
import type { RepositoryChange, RepositoryChanged } from './repositoryChange.ts';

/** A person and a moment as a commit or tag object carries them. */
export interface GitSignature {
  /** Decoded text; bytes that are no UTF-8 (after the object's own `encoding`) became U+FFFD. May be empty. */
  name: string;
  email: string;
  /** Seconds since the epoch. */
  seconds: number;
  /** The zone as written in the object, such as `+0530`. */
  zone: string;
  /** ISO 8601 in UTC with the offset `+00:00`, the form Bitbucket answers (facts 3.6). */
  date: string;
}

export interface CommitRecord {
  hash: string;
  parents: string[];
  author: GitSignature;
  committer: GitSignature;
  /** Decoded as in {@link GitSignature.name}; ends as the object's message ends (usually with a newline). */
  message: string;
}

export interface RefRecord {
  kind: 'branch' | 'tag';
  /** Short name without `refs/heads/` or `refs/tags/`. */
  name: string;
  /** The commit it points at (annotated tags peeled). */
  target: string;
  /** True for a tag that is an object of its own; the three fields after it are null otherwise. */
  annotated: boolean;
  message: string | null;
  tagger: GitSignature | null;
  date: string | null;
}

export interface DiffstatRecord {
  status: 'added' | 'removed' | 'modified' | 'renamed';
  /** Null when added. */
  oldPath: string | null;
  /** Null when removed. Undecodable bytes became U+FFFD. */
  newPath: string | null;
  /** Both 0 for a binary file. */
  linesAdded: number;
  linesRemoved: number;
}

/** What `generate` should put behind a pull request. */
export interface PullRequestSpec {
  /** Order in time is the order of the list; numbers need not be dense. */
  number: number;
  /** Goes into the merge message; default some words. */
  title?: string;
  sourceBranch: string;
  destinationBranch: string;
  /** `OPEN`, `MERGED`, `DECLINED` or `SUPERSEDED`. */
  state: string;
  /** Whether the source branch still exists afterwards. An `OPEN` one always keeps it. */
  keepSourceBranch: boolean;
  /** Commits on the source branch, at least 1. */
  commits: number;
}

export interface GenerateSpec {
  /** Name of the repository in the store: letters, digits, `.`, `_`, `-`. */
  key: string;
  seed: number;
  /** Commits reachable from branches and tags, as near as the pull requests allow (never fewer than they need). 0 gives an empty repository. */
  commits: number;
  /** Branches besides those of pull requests, the main branch (`main`) included. */
  branches: number;
  tags: number;
  authors: { name: string; email: string }[];
  pullRequests: PullRequestSpec[];
  /** Also everything that makes importers stumble: invalid bytes, octopus merges, gitlinks, odd names. */
  odd?: boolean;
}

/** The git side of one pull request; all hashes exist as objects even where no branch holds them any more. */
export interface GitPullRequest {
  number: number;
  sourceBranch: string;
  destinationBranch: string;
  /** Tip of the source side. */
  sourceHash: string;
  /** Head of the destination: just before the merge, or where the source branched off when not merged. */
  destinationHash: string;
  /** Commits of the source side, newest first. */
  commitHashes: string[];
  /** Date of the first commit of the source side, ISO 8601 UTC. */
  createdDate: string;
  /** Date of the newest commit of the source side. */
  updatedDate: string;
  /** Null when not merged. A squash has one parent, a merge has two. */
  mergeHash: string | null;
  mergeDate: string | null;
  squashed: boolean;
  /** Author of the tip of the source side. */
  author: GitSignature;
  /** Who committed the merge; null when not merged. */
  mergedBy: GitSignature | null;
  sourceBranchExists: boolean;
}

export interface RepositoryHeads {
  /** Null for an empty repository. */
  mainBranch: string | null;
  branches: { name: string; target: string }[];
  tags: { name: string; target: string }[];
  /** Bytes of the bare repository's objects. */
  sizeBytes: number;
  /** Committer dates of the oldest and newest commit, ISO 8601 UTC; null when empty. */
  firstCommitDate: string | null;
  lastCommitDate: string | null;
}

export interface GeneratedRepository extends RepositoryHeads {
  key: string;
  /** In the order of the spec. */
  pullRequests: GitPullRequest[];
}

export interface AdoptedPullRequest extends GitPullRequest {
  title: string;
  /** The merge message without its subject; may be empty. */
  description: string;
}

export interface AdoptedRepository extends RepositoryHeads {
  key: string;
  /** All merged; numbered from 1 in order of merge. */
  pullRequests: AdoptedPullRequest[];
  /** Everybody who authored or committed anything: distinct name and e-mail pairs, most commits first. */
  people: { name: string; email: string; commits: number }[];
}

export interface CommitsQuery {
  /** Hashes or names of branches and tags. Empty means all branches and tags. */
  include: string[];
  exclude: string[];
  /** Only commits that touch this path. */
  path?: string;
  skip: number;
  /** Ask for one more than a page to learn whether another page follows. */
  limit: number;
}

/** Thrown where a hash, ref or path base is unknown: Bitbucket's 404 `Commit not found` (facts 3.6). */
export class UnknownRevisionError extends Error {
  readonly shas: string[];

  constructor(shas: string[]) {
    super(`Commit not found: ${shas.join(', ')}`);
    this.name = 'UnknownRevisionError';
    this.shas = shas;
  }
}

/** Thrown by a diffstat `a..b` whose sides share no history: Bitbucket's 400 (facts 4.2). */
export class NoCommonHistoryError extends Error {
  constructor(spec: string) {
    super(`No common history: ${spec}`);
    this.name = 'NoCommonHistoryError';
  }
}

export interface DiffstatQuery {
  skip: number;
  limit: number;
  /** Only this file or folder. */
  path?: string;
  /** For `a..b`: from the merge base (default), or plainly from b when false. */
  topic?: boolean;
  /** Default true. */
  renames?: boolean;
  /** Default false. */
  ignoreWhitespace?: boolean;
}

/**
 * Real bare repositories in one folder, and every question the simulator has about them.
 * Made by `createGitStore({ folder })` of `createGitStore.ts`.
 */
export interface GitStore {
  /** Builds a repository from its seed, or returns the one built before from the same spec. */
  generate(spec: GenerateSpec): Promise<GeneratedRepository>;
  /** Copies branches and tags of a local repository and derives pull requests from its merge commits. */
  adopt(spec: { key: string; path: string }): Promise<AdoptedRepository>;
  /** Gives a repository of the store a second life under another name. */
  copy(key: string, as: string): Promise<void>;
  /** Newest first, children before parents. Throws {@link UnknownRevisionError}. */
  commits(key: string, query: CommitsQuery): Promise<CommitRecord[]>;
  /** By hash (short ones of 4 or more resolve), branch or tag; undefined when there is none. */
  commit(key: string, rev: string): Promise<CommitRecord | undefined>;
  /** Branches, then tags, each in lexical order of bytes. */
  refs(key: string): Promise<RefRecord[]>;
  /**
   * `spec` is one revision (against its first parent) or `a..b`, a the source and b the destination:
   * what merging a into b would change (from their merge base).
   * Throws {@link UnknownRevisionError}, {@link NoCommonHistoryError}.
   */
  diffstat(
    key: string,
    spec: string,
    query: DiffstatQuery,
  ): Promise<{ size: number; rows: DiffstatRecord[] }>;
  /** The canonical truth: branches, tags, then every commit followed by its files. */
  truth(key: string): AsyncIterable<GitTruth>;
  /** What each merge on a branch's first-parent line brought in, by the hash of the merge; empty without the branch. */
  sidesOfMerges(key: string, branch: string): Promise<ReadonlyMap<string, string[]>>;
  /** Changes a repository as a push or merge would. Changes of one repository run one after another. */
  mutate(key: string, change: RepositoryChange): Promise<RepositoryChanged>;
  /**
   * Smart HTTP, reading only. `subPath` is what follows the repository in the URL, with its query:
   * `/info/refs?service=git-upload-pack` or `/git-upload-pack`. Credentials are the caller's business.
   */
  handle(request: IncomingMessage, response: ServerResponse, key: string, subPath: string): Promise<void>;
  /** Ends every git process the store still runs. */
  close(): Promise<void>;
}
