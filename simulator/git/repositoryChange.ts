export interface NewCommit {
  message: string;
  author: { name: string; email: string };
  /** ISO 8601; default one minute after the parent's. */
  date?: string;
  /** Path to its new content; null deletes. Default: one generated file. */
  files?: Record<string, string | null>;
}

/** A change of a repository while the simulator runs; `generate` builds afresh after one. */
export type RepositoryChange =
  /** Adds commits on a branch, created at the main branch's head when new. With `onto`, the branch is reset there first: a force-push. */
  | { kind: 'push'; branch: string; commits: NewCommit[]; onto?: string }
  | { kind: 'createBranch'; name: string; target: string }
  | { kind: 'deleteBranch'; name: string }
  /** With a message an annotated tag, else a lightweight one. */
  | {
      kind: 'createTag';
      name: string;
      target: string;
      message?: string;
      tagger?: { name: string; email: string };
    }
  | { kind: 'deleteTag'; name: string }
  | {
      kind: 'merge';
      source: string;
      destination: string;
      message: string;
      author: { name: string; email: string };
      date?: string;
      squash?: boolean;
      closeSource?: boolean;
    }
  /** What no branch or tag leads to any more is forgotten, as a host does some time after a force-push. */
  | { kind: 'collectGarbage' };

export interface RepositoryChanged {
  /** Oldest first. */
  newCommits: string[];
  /** As a push webhook tells them: null where the ref did not exist before, or does not any more. */
  refs: {
    kind: 'branch' | 'tag';
    name: string;
    before: string | null;
    after: string | null;
    forced: boolean;
  }[];
}
