import { sql } from 'drizzle-orm';
import type { CommitsSource } from '../../../workflows/words.ts';
import type { Transaction } from '../../client.ts';
import { fixed } from './fixed.ts';
import { jsonList, literal, object, text, word } from './nestedJson.ts';
import { limitTo } from './limitTo.ts';
import { account, type AccountRow, accountText, joinAccount } from './records.ts';

export interface ParticipantRow {
  account: AccountRow | null;
  role: string;
  approved: boolean;
  state: string | null;
  participated_on: string | null;
}

export interface PullRequestRow extends Record<string, unknown> {
  number: number;
  title: string;
  description: string | null;
  state: string;
  draft: boolean;
  author: AccountRow | null;
  closedBy: AccountRow | null;
  reason: string | null;
  sourceBranch: string | null;
  sourceHash: string | null;
  sourceRepositoryUuid: string | null;
  destinationBranch: string | null;
  destinationHash: string | null;
  mergeHash: string | null;
  commentCount: number | null;
  taskCount: number | null;
  createdOn: string;
  updatedOn: string;
  commitsSource: CommitsSource | null;
  participants: ParticipantRow[];
}

const PARTICIPANTS = sql`(select ${jsonList(
  object({
    account: sql`case when p.account_key like '{%' then ${accountText(sql`person`, sql`p.account_key`)} else 'null' end`,
    role: text(sql`p.role`),
    approved: literal(sql`p.approved`),
    state: text(sql`p.state`),
    participated_on: word(sql`p.participated_on`),
  }),
  sql`p.account_key`,
)}
  from pull_request_participants p
  ${joinAccount(sql`person`, sql`p`, sql`p.account_key`)}
  where p.organization_id = pr.organization_id and p.repository_id = pr.repository_id
    and p.pull_request_number = pr.number)`;

const SELECT = fixed(sql`
  select pr.number, pr.title, pr.description, pr.state, pr.draft, pr.reason,
    ${account(sql`author`, sql`pr.author_uuid`)} as author,
    ${account(sql`closer`, sql`pr.closed_by_uuid`)} as "closedBy",
    pr.source_branch as "sourceBranch", pr.source_hash as "sourceHash",
    pr.source_repository_uuid as "sourceRepositoryUuid", pr.destination_branch as "destinationBranch",
    pr.destination_hash as "destinationHash", pr.merge_hash as "mergeHash", pr.comment_count as "commentCount",
    pr.task_count as "taskCount", pr.created_on as "createdOn", pr.updated_on as "updatedOn",
    case when pr.state = 'MERGED' then coalesce(pr.commits_source, 'unknown') end as "commitsSource",
    ${PARTICIPANTS} as participants
  from pull_requests pr
  ${joinAccount(sql`author`, sql`pr`, sql`pr.author_uuid`)}
  ${joinAccount(sql`closer`, sql`pr`, sql`pr.closed_by_uuid`)}`);

/** By number. */
export async function listPullRequests(
  tx: Transaction,
  query: { repositoryId: string; limit: number; after: number | null; state: string | undefined },
): Promise<PullRequestRow[]> {
  const { repositoryId, limit, after, state } = query;
  const condition = sql`pr.repository_id = ${repositoryId}
    and ${after === null ? sql`true` : sql`pr.number > ${after}`}
    and ${state === undefined ? sql`true` : sql`pr.state = ${state}`}`;
  return tx.execute<PullRequestRow>(sql`${SELECT} where ${condition} order by pr.number ${limitTo(limit)}`);
}

export async function readPullRequest(
  tx: Transaction,
  { repositoryId, number }: { repositoryId: string; number: number },
): Promise<PullRequestRow | null> {
  const [row] = await tx.execute<PullRequestRow>(
    sql`${SELECT} where pr.repository_id = ${repositoryId} and pr.number = ${number}`,
  );
  return row ?? null;
}

export async function isPullRequest(
  tx: Transaction,
  { repositoryId, number }: { repositoryId: string; number: number },
): Promise<boolean> {
  const rows = await tx.execute(
    sql`select from pull_requests where repository_id = ${repositoryId} and number = ${number}`,
  );
  return rows.length > 0;
}

export interface ActivityRow extends Record<string, unknown> {
  kind: string;
  at: string;
  actor: AccountRow | null;
  state: string | null;
  commentId: number | null;
}

/** Oldest first; a pull request has few enough to give them all, at most 1,000. */
export async function listActivity(
  tx: Transaction,
  { repositoryId, number }: { repositoryId: string; number: number },
): Promise<ActivityRow[]> {
  return tx.execute<ActivityRow>(sql`
    select a.kind, a.at, a.state, a.comment_id::float8 as "commentId",
      ${account(sql`actor`, sql`a.actor_uuid`)} as actor
    from pull_request_activity a
    ${joinAccount(sql`actor`, sql`a`, sql`a.actor_uuid`)}
    where a.repository_id = ${repositoryId} and a.pull_request_number = ${number}
    order by a.at, a.entry_key limit 1000`);
}

/** Hashes, newest first; at most 1,000. */
export async function listCommitsOfPullRequest(
  tx: Transaction,
  { repositoryId, number }: { repositoryId: string; number: number },
): Promise<string[]> {
  const rows = await tx.execute<{ hash: string }>(sql`
    select l.commit_hash as hash
    from pull_request_commits l
    left join commits c on c.organization_id = l.organization_id and c.repository_id = l.repository_id
      and c.hash = l.commit_hash
    where l.repository_id = ${repositoryId} and l.pull_request_number = ${number}
    order by c.committed_at desc nulls last, l.commit_hash limit 1000`);
  return rows.map(({ hash }) => hash);
}

export interface CommentRow extends Record<string, unknown> {
  id: number;
  parentId: number | null;
  author: AccountRow | null;
  content: string | null;
  inlinePath: string | null;
  inlineFrom: number | null;
  inlineTo: number | null;
  deleted: boolean;
  pending: boolean;
  resolved: boolean;
  createdOn: string;
  updatedOn: string;
}

/** By id, which is the order in which they were written. */
export async function listComments(
  tx: Transaction,
  query: { repositoryId: string; number: number; limit: number; after: number | null },
): Promise<CommentRow[]> {
  const { repositoryId, number, limit, after } = query;
  return tx.execute<CommentRow>(sql`
    select m.comment_id::float8 as id, m.parent_id::float8 as "parentId", m.content, m.inline_path as "inlinePath",
      m.inline_from as "inlineFrom", m.inline_to as "inlineTo", m.deleted, m.pending, m.resolved,
      m.created_on as "createdOn", m.updated_on as "updatedOn",
      ${account(sql`author`, sql`m.author_uuid`)} as author
    from pull_request_comments m
    ${joinAccount(sql`author`, sql`m`, sql`m.author_uuid`)}
    where m.repository_id = ${repositoryId} and m.pull_request_number = ${number}
      and ${after === null ? sql`true` : sql`m.comment_id > ${after}`}
    order by m.comment_id ${limitTo(limit)}`);
}
