import { z } from '@hono/zod-openapi';
import type { ActivityRow, CommentRow, PullRequestRow } from '../../db/queries/api/pullRequests.ts';
import { COMMITS_SOURCES } from '../../workflows/words.ts';
import { unescapeText } from '../../db/text.ts';
import { instant, instantOrNull } from '../instant.ts';
import { account, presentAccount, textOrNull } from './records.ts';
import { id, timestamp } from './shared.ts';

/** A pull request is named by its repository and its number. */
export const pullRequestParams = z.strictObject({
  id,
  number: z.coerce
    .number()
    .int()
    .min(1)
    .max(2 ** 31 - 1)
    .meta({ type: 'integer' }),
});

const end = z.strictObject({ branch: z.string().nullable(), hash: z.string().nullable() });

export const pullRequestSchema = z
  .strictObject({
    number: z.int(),
    title: z.string(),
    description: z.string().nullable(),
    state: z
      .string()
      .meta({ description: 'OPEN, MERGED, DECLINED, SUPERSEDED, or a word that Bitbucket adds later' }),
    draft: z.boolean(),
    author: account.nullable().meta({ description: 'null: a removed account' }),
    closed_by: account.nullable(),
    reason: z.string().nullable(),
    source: end.extend({
      repository_uuid: z.string().nullable().meta({ description: 'null: the fork is gone' }),
    }),
    destination: end,
    merge_hash: z.string().nullable(),
    comment_count: z.int().nullable(),
    task_count: z.int().nullable(),
    participants: z.array(
      z.strictObject({
        account: account.nullable(),
        role: z.string(),
        approved: z.boolean(),
        state: z.string().nullable(),
        participated_on: timestamp.nullable(),
      }),
    ),
    created_on: timestamp,
    updated_on: timestamp,
  })
  .openapi('PullRequest');

export const pullRequestDetailSchema = z
  .strictObject({
    ...pullRequestSchema.shape,
    activity: z.array(
      z.strictObject({
        kind: z.string(),
        at: timestamp,
        actor: account.nullable(),
        state: z.string().nullable(),
        comment_id: z.int().nullable(),
      }),
    ),
    commits: z
      .strictObject({
        source: z.enum(COMMITS_SOURCES).nullable().meta({
          description:
            'how they are known: `merge_commit`: what the merge brought in; `squash`: the commit that was made of them; `unknown`: the history does not tell (a fast-forward, or the merge commit is not imported); null: not merged',
        }),
        hashes: z.array(z.string()).meta({ description: 'newest first, at most 1,000' }),
      })
      .meta({ description: 'the commits that the pull request brought into its destination' }),
  })
  .openapi('PullRequestDetail');

export const commentSchema = z
  .strictObject({
    id: z.int(),
    parent_id: z.int().nullable(),
    author: account.nullable(),
    content: z.string().nullable(),
    inline: z.strictObject({ path: z.string(), from: z.int().nullable(), to: z.int().nullable() }).nullable(),
    deleted: z.boolean(),
    pending: z.boolean(),
    resolved: z.boolean(),
    created_on: timestamp,
    updated_on: timestamp,
  })
  .openapi('PullRequestComment');

export const presentPullRequest = (row: PullRequestRow): z.infer<typeof pullRequestSchema> => ({
  number: row.number,
  title: unescapeText(row.title),
  description: textOrNull(row.description),
  state: row.state,
  draft: row.draft,
  author: presentAccount(row.author),
  closed_by: presentAccount(row.closedBy),
  reason: textOrNull(row.reason),
  source: {
    branch: textOrNull(row.sourceBranch),
    hash: row.sourceHash,
    repository_uuid: row.sourceRepositoryUuid,
  },
  destination: { branch: textOrNull(row.destinationBranch), hash: row.destinationHash },
  merge_hash: row.mergeHash,
  comment_count: row.commentCount,
  task_count: row.taskCount,
  participants: row.participants.map((participant) => ({
    account: presentAccount(participant.account),
    role: participant.role,
    approved: participant.approved,
    state: participant.state,
    participated_on: instantOrNull(participant.participated_on),
  })),
  created_on: instant(row.createdOn),
  updated_on: instant(row.updatedOn),
});

export const presentPullRequestDetail = (
  row: PullRequestRow,
  activity: ActivityRow[],
  hashes: string[],
): z.infer<typeof pullRequestDetailSchema> => ({
  ...presentPullRequest(row),
  activity: activity.map((entry) => ({
    kind: entry.kind,
    at: instant(entry.at),
    actor: presentAccount(entry.actor),
    state: entry.state,
    comment_id: entry.commentId,
  })),
  commits: { source: row.commitsSource, hashes },
});

export const presentComment = (row: CommentRow): z.infer<typeof commentSchema> => ({
  id: row.id,
  parent_id: row.parentId,
  author: presentAccount(row.author),
  content: textOrNull(row.content),
  inline:
    row.inlinePath === null
      ? null
      : { path: unescapeText(row.inlinePath), from: row.inlineFrom, to: row.inlineTo },
  deleted: row.deleted,
  pending: row.pending,
  resolved: row.resolved,
  created_on: instant(row.createdOn),
  updated_on: instant(row.updatedOn),
});
