import { sql, type SQL } from 'drizzle-orm';
import type { Transaction } from '../../client.ts';
import { fixed } from './fixed.ts';
import { asJson, jsonList, literal, object, text } from './nestedJson.ts';
import { limitTo } from './limitTo.ts';

/** Commits and tickets of one repository, a page at a time. */

interface PageOf<After> {
  repositoryId: string;
  limit: number;
  after: After | null;
}

/** An account as last seen; `null` where there is none, its uuid alone where it was never seen. */
export const account = (alias: SQL, uuid: SQL): SQL => sql`
  case when ${uuid} is not null then ${asJson(accountText(alias, uuid))} end`;

/** The same in the text of what it is part of; the uuid is one. */
export const accountText = (alias: SQL, uuid: SQL) =>
  object({
    uuid: text(uuid),
    display_name: text(sql`${alias}.display_name`),
    nickname: text(sql`${alias}.nickname`),
  });

export const joinAccount = (alias: SQL, row: SQL, uuid: SQL): SQL => sql`
  left join accounts ${alias} on ${alias}.organization_id = ${row}.organization_id and ${alias}.provider_uuid = ${uuid}`;

export interface AccountRow {
  uuid: string;
  display_name: string | null;
  nickname: string | null;
}

export interface CommitFileRow {
  path: string;
  old_path: string | null;
  lines_added: number | null;
  lines_removed: number | null;
}

export interface CommitRow extends Record<string, unknown> {
  hash: string;
  parents: string[];
  authorName: string;
  authorEmail: string;
  authoredAt: string | null;
  authorZone: string;
  committerName: string;
  committerEmail: string;
  committedAt: string | null;
  committerZone: string;
  message: string;
  linesAdded: number | null;
  linesRemoved: number | null;
  filesChanged: number | null;
  unreachableSince: string | null;
  files: CommitFileRow[] | null;
}

const FILES = fixed(sql`(select ${jsonList(
  object({
    path: text(sql`f.path`),
    old_path: text(sql`f.old_path`),
    lines_added: literal(sql`f.lines_added`),
    lines_removed: literal(sql`f.lines_removed`),
  }),
  sql`f.path`,
)}
  from commit_files f where f.organization_id = c.organization_id and f.repository_id = c.repository_id
    and f.commit_hash = c.hash)`);

/** Newest first by commit time, the order of the index; the odd commit without a time comes before all others. */
export async function listCommits(
  tx: Transaction,
  query: PageOf<{ at: string | null; hash: string }> & { includeFiles: boolean },
): Promise<CommitRow[]> {
  const { repositoryId, limit, after, includeFiles } = query;
  const behind =
    after === null
      ? sql`true`
      : after.at === null
        ? sql`((c.committed_at is null and c.hash < ${after.hash}) or c.committed_at is not null)`
        : sql`(c.committed_at, c.hash) < (${after.at}::timestamptz, ${after.hash})`;
  return tx.execute<CommitRow>(sql`
    select c.hash, c.parent_hashes as parents, c.author_name as "authorName", c.author_email as "authorEmail",
      c.authored_at as "authoredAt", c.author_zone as "authorZone", c.committer_name as "committerName",
      c.committer_email as "committerEmail", c.committed_at as "committedAt", c.committer_zone as "committerZone",
      c.message, c.lines_added::float8 as "linesAdded", c.lines_removed::float8 as "linesRemoved",
      c.files_changed as "filesChanged", c.unreachable_since as "unreachableSince", ${includeFiles ? FILES : sql`null`} as files
    from commits c
    where c.repository_id = ${repositoryId} and ${behind}
    order by c.committed_at desc, c.hash desc ${limitTo(limit)}`);
}

export interface TicketRow extends Record<string, unknown> {
  number: number;
  title: string;
  content: string | null;
  state: string;
  kind: string | null;
  priority: string | null;
  reporter: AccountRow | null;
  assignee: AccountRow | null;
  component: string | null;
  milestone: string | null;
  version: string | null;
  votes: number | null;
  watches: number | null;
  createdOn: string;
  updatedOn: string;
  editedOn: string | null;
  comments: number;
}

/** By number. */
export async function listTickets(
  tx: Transaction,
  { repositoryId, limit, after, state }: PageOf<number> & { state: string | undefined },
): Promise<TicketRow[]> {
  return tx.execute<TicketRow>(sql`
    select t.number, t.title, t.content, t.state, t.kind, t.priority, t.component, t.milestone, t.version, t.votes,
      t.watches, t.created_on as "createdOn", t.updated_on as "updatedOn", t.edited_on as "editedOn",
      ${account(sql`reporter`, sql`t.reporter_uuid`)} as reporter,
      ${account(sql`assignee`, sql`t.assignee_uuid`)} as assignee,
      (select count(*)::int from ticket_comments m where m.organization_id = t.organization_id
        and m.repository_id = t.repository_id and m.ticket_number = t.number) as comments
    from tickets t
    ${joinAccount(sql`reporter`, sql`t`, sql`t.reporter_uuid`)}
    ${joinAccount(sql`assignee`, sql`t`, sql`t.assignee_uuid`)}
    where t.repository_id = ${repositoryId}
      and ${after === null ? sql`true` : sql`t.number > ${after}`}
      and ${state === undefined ? sql`true` : sql`t.state = ${state}`}
    order by t.number ${limitTo(limit)}`);
}
