import type { Person } from './people.ts';
import type { Micros } from './time.ts';

export const STATES = ['OPEN', 'MERGED', 'DECLINED', 'SUPERSEDED'] as const;
export type PullRequestState = (typeof STATES)[number];

/** One side of a pull request. `here`: the repository itself; `gone`: its fork was deleted, so the answer says null. */
export interface Side {
  branch: string;
  hash: string | null;
  repository: 'here' | 'gone';
}

export interface Participant {
  person: Person;
  role: 'PARTICIPANT' | 'REVIEWER';
  approved: boolean;
  state: 'approved' | 'changes_requested' | null;
  participatedOn: Micros | null;
}

export interface Inline {
  path: string;
  from: number | null;
  to: number | null;
}

export interface Comment {
  id: number;
  raw: string;
  person: Person | null;
  createdOn: Micros;
  updatedOn: Micros;
  deleted: boolean;
  parentId: number | null;
  inline: Inline | null;
  resolution: { person: Person; createdOn: Micros } | null;
}

export interface Update {
  state: PullRequestState;
  title: string;
  description: string;
  draft: boolean;
  reviewers: Person[];
  changes: Record<string, { old: unknown; new: unknown }>;
  reason: string;
  person: Person | null;
  date: Micros;
}

/** An entry of the activity; `none` is the odd entry without any kind (facts 3.7). */
export type Activity =
  | { kind: 'update'; at: Micros; update: Update }
  | { kind: 'approval' | 'changes_requested'; at: Micros; person: Person }
  | { kind: 'comment'; at: Micros; comment: Comment }
  | { kind: 'none'; at: Micros };

export interface PullRequest {
  number: number;
  title: string;
  description: string;
  state: PullRequestState;
  draft: boolean;
  author: Person | null;
  closedBy: Person | null;
  reason: string;
  createdOn: Micros;
  updatedOn: Micros;
  source: Side;
  destination: Side;
  mergeHash: string | null;
  closeSourceBranch: boolean;
  taskCount: number;
  reviewers: Person[];
  participants: Participant[];
  /** Oldest first. */
  comments: Comment[];
  /** Oldest first. */
  activity: Activity[];
  /** entries that exist, though no list of activity shows them */
  hiddenActivity?: Activity[];
}

/** Comments that were not deleted: what `comment_count` says. */
export function commentCount(pullRequest: PullRequest): number {
  let count = 0;
  for (const comment of pullRequest.comments) if (!comment.deleted) count += 1;
  return count;
}
