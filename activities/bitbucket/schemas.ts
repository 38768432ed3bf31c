import { z } from 'zod';
import { escapeText } from '../../db/text.ts';
import { isTimestamp } from './timestamp.ts';

/**
 * What we read of Bitbucket's answers (facts 3). Strict where we key, order or date by a value; a decoration
 * (a name to show) of the wrong type reads as null; unknown fields stay in the raw JSON beside the row.
 */

const timestamp = z.string().refine(isTimestamp, 'is not a timestamp that Postgres takes');
/** `{xxxxxxxx-…}` with its braces, as in all of Bitbucket's JSON */
const uuid = z.string().regex(/^\{[0-9a-fA-F-]{36}\}$/, 'is not a uuid in braces');
/** ids that land in an `integer` column */
const number = z.int32().positive();
/** ids that land in a `bigint` column; beyond 2^53 JSON.parse has already changed them, so they are refused */
const bigNumber = z.int().positive();
const optional = <T extends z.ZodType>(schema: T) => schema.nullish().transform((value) => value ?? null);
const decoration = z
  .string()
  .nullish()
  .catch(null)
  .transform((value) => value ?? null);
const count = z
  .int()
  .nonnegative()
  .nullish()
  .catch(null)
  .transform((value) => value ?? null);
const flag = z
  .boolean()
  .nullish()
  .catch(null)
  .transform((value) => value ?? null);

/** A page of any list. Everything but `values` may be missing (facts 3.1). */
export const pageSchema = z.object({
  values: z.array(z.unknown()),
  // It becomes part of a stored position.
  next: optional(z.string().refine((next) => escapeText(next) === next, 'is no text that Postgres takes')),
  size: count,
});

/** `user`, `team` or `app_user`; removed accounts come as null or without uuid (facts 4.4). */
export const accountSchema = z.object({
  uuid: optional(uuid),
  type: decoration,
  kind: decoration,
  display_name: decoration,
  nickname: decoration,
  account_id: decoration,
});
export type Account = z.infer<typeof accountSchema>;
const account = optional(accountSchema);

/** An entry of a workspace's list of members. */
export const memberSchema = z.object({ user: account });

/** What a poll asks of a pull request (`fields`). */
export const polledPullRequestSchema = z.object({
  id: number,
  updated_on: timestamp,
  destination: optional(z.object({ repository: optional(z.object({ uuid })) })),
});

export const currentUserSchema = z.object({
  uuid,
  type: decoration,
  display_name: decoration,
  nickname: decoration,
  username: decoration,
  account_id: decoration,
});

export const workspaceAccessSchema = z.object({
  administrator: flag,
  workspace: z.object({ uuid, slug: z.string().min(1) }),
});

export const workspaceSchema = z.object({
  uuid,
  slug: z.string().min(1),
  name: decoration,
  is_private: flag,
  created_on: optional(timestamp),
});
export type Workspace = z.infer<typeof workspaceSchema>;

export const projectSchema = z.object({
  uuid,
  key: z.string().min(1),
  name: decoration,
  description: decoration,
  is_private: flag,
  created_on: optional(timestamp),
  updated_on: optional(timestamp),
});
export type Project = z.infer<typeof projectSchema>;

export const repositorySchema = z.object({
  uuid,
  full_name: z.string().regex(/^[^/]+\/[^/]+$/, 'is not workspace/repository'),
  slug: decoration,
  name: decoration,
  description: decoration,
  is_private: z.boolean(),
  language: decoration,
  size: count,
  has_issues: flag,
  created_on: optional(timestamp),
  updated_on: optional(timestamp),
  mainbranch: optional(z.object({ name: decoration })),
  parent: optional(z.object({ uuid: optional(uuid) })),
  project: optional(z.object({ uuid, key: decoration, name: decoration })),
  workspace: optional(z.object({ uuid, slug: decoration, name: decoration })),
});
export type Repository = z.infer<typeof repositorySchema>;

/** One end of a pull request: null repository = the fork is gone, null commit = the branch is gone (facts 3.7). */
const endpoint = optional(
  z.object({
    branch: optional(z.object({ name: optional(z.string()) })),
    commit: optional(z.object({ hash: optional(z.string()) })),
    repository: optional(z.object({ uuid: optional(uuid), full_name: decoration })),
  }),
);

export const participantSchema = z.object({
  user: account,
  role: z.string(),
  approved: z.boolean(),
  state: optional(z.string()),
  participated_on: optional(timestamp),
});
export type Participant = z.infer<typeof participantSchema>;

export const pullRequestSchema = z.object({
  id: number,
  title: z.string(),
  description: optional(z.string()),
  /** OPEN, MERGED, DECLINED, SUPERSEDED, or a word that Bitbucket adds later */
  state: z.string().min(1),
  draft: flag,
  author: account,
  closed_by: account,
  reason: optional(z.string()),
  merge_commit: optional(z.object({ hash: optional(z.string()) })),
  close_source_branch: flag,
  comment_count: count,
  task_count: count,
  created_on: timestamp,
  updated_on: timestamp,
  source: endpoint,
  destination: endpoint,
  /** undefined in lists unless asked for through `fields` */
  reviewers: z.array(account).optional(),
  participants: z.array(participantSchema).optional(),
});
export type PullRequest = z.infer<typeof pullRequestSchema>;

const hash = z.string().regex(/^[0-9a-f]{40}$/, 'is not the hash of a commit');
/** `Name <email>` as the commit has it; tools wrote commits without either */
const person = z
  .object({ raw: decoration })
  .nullish()
  .catch(null)
  .transform((value) => value?.raw ?? '');
/** null where the source has none that a calendar can show */
const commitTime = z
  .string()
  .refine(isTimestamp)
  .nullish()
  .catch(null)
  .transform((value) => value ?? null);

export const commitSchema = z.object({
  hash,
  date: commitTime,
  author: person,
  /** in newer payloads only */
  committer: person,
  message: z.string(),
  parents: z.array(z.object({ hash })),
});
export type ListedCommit = z.infer<typeof commitSchema>;

const target = z.object({ hash });
export const branchSchema = z.object({ name: z.string().min(1), target });
export type ListedBranch = z.infer<typeof branchSchema>;

/** A lightweight tag has neither message, date nor tagger (facts 3.6). */
export const tagSchema = z.object({
  name: z.string().min(1),
  target,
  message: optional(z.string()),
  date: commitTime,
  tagger: optional(z.object({ raw: decoration })),
});
export type ListedTag = z.infer<typeof tagSchema>;

export const commentSchema = z.object({
  id: bigNumber,
  content: optional(z.object({ raw: optional(z.string()) })),
  user: account,
  created_on: timestamp,
  updated_on: timestamp,
  deleted: flag,
  pending: flag,
  parent: optional(z.object({ id: bigNumber })),
  inline: optional(
    z.object({ path: optional(z.string()), from: optional(z.int32()), to: optional(z.int32()) }),
  ),
  /** an object when resolved */
  resolution: z.unknown().optional(),
  pullrequest: optional(z.object({ id: number })),
});
export type Comment = z.infer<typeof commentSchema>;

const by = z.object({ date: timestamp, user: account });

/** Entries without any of the four kinds occur (facts 3.7). */
export const activitySchema = z.object({
  pull_request: z.object({ id: number }),
  comment: optional(
    z.object({
      id: bigNumber,
      user: account,
      created_on: timestamp,
      updated_on: optional(timestamp),
      deleted: flag,
    }),
  ),
  update: optional(
    z.object({
      date: timestamp,
      author: account,
      state: optional(z.string()),
      draft: flag,
      title: decoration,
      reason: decoration,
    }),
  ),
  approval: optional(by),
  changes_requested: optional(by),
});
export type ActivityEntry = z.infer<typeof activitySchema>;

const named = optional(z.object({ name: decoration }));

export const issueSchema = z.object({
  id: number,
  title: z.string(),
  content: optional(z.object({ raw: optional(z.string()) })),
  state: z.string().min(1),
  kind: decoration,
  priority: decoration,
  reporter: account,
  assignee: account,
  component: named,
  milestone: named,
  version: named,
  votes: count,
  watches: count,
  created_on: timestamp,
  updated_on: timestamp,
  edited_on: optional(timestamp),
});
export type Issue = z.infer<typeof issueSchema>;

export const issueCommentSchema = z.object({
  id: bigNumber,
  /** null text: a change without words */
  content: optional(z.object({ raw: optional(z.string()) })),
  user: account,
  created_on: timestamp,
  updated_on: optional(timestamp),
});
export type IssueComment = z.infer<typeof issueCommentSchema>;

export const issueChangeSchema = z.object({
  id: bigNumber,
  /** `{field: {old, new}}`; `assignee` values are raw strings */
  changes: z.record(z.string(), z.unknown()),
  user: account,
  message: optional(z.object({ raw: optional(z.string()) })),
  created_on: timestamp,
});
export type IssueChange = z.infer<typeof issueChangeSchema>;

/** Anybody's hook: of those that are not ours only the address matters, to see that they are not. */
export const hookSchema = z.object({
  uuid,
  url: decoration.transform((value) => value ?? ''),
  active: flag.transform((value) => value ?? false),
  events: z.array(z.string()).catch([]),
  /** older answers do not say */
  secret_set: flag.transform((value) => value ?? true),
});

export const hookEventSchema = z.object({ event: z.string().min(1) });
