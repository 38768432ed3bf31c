import { sql } from 'drizzle-orm';
import { z } from 'zod';
import type { Transaction } from '../../db/client.ts';
import { unescapeJson, unescapeText, unescapeToBytes } from '../../db/text.ts';
import { type CanonicalRecord, canonical, instant, type RecordKind } from './canonical.ts';

type Row = Record<string, unknown>;
type Reader = (tx: Transaction, repositoryId: string) => Promise<CanonicalRecord[]>;

const text = (value: unknown): string | null => (typeof value === 'string' ? unescapeText(value) : null);
const number = (value: unknown): number | null =>
  value === null || value === undefined ? null : Number(value);
const base64 = (path: unknown): string | null =>
  typeof path === 'string' ? Buffer.from(unescapeToBytes(path)).toString('base64') : null;

async function rows(tx: Transaction, table: string, repositoryId: string): Promise<Row[]> {
  const column = table === 'repositories' ? 'id' : 'repository_id';
  return tx.execute(
    sql`select * from ${sql.identifier(table)} where ${sql.identifier(column)} = ${repositoryId}`,
  );
}

/** The source has no commits any more that no branch or tag leads to; ours are marked, and stay. */
const isReachable = (row: Row): boolean => row['unreachable_since'] === null;

async function filesOfReachable(tx: Transaction, repositoryId: string): Promise<Row[]> {
  return tx.execute(sql`
    select f.* from commit_files f
    left join commits c on c.organization_id = f.organization_id and c.repository_id = f.repository_id
      and c.hash = f.commit_hash
    where f.repository_id = ${repositoryId} and c.unreachable_since is null`);
}

/** How each kind is read back from Postgres, through the reversible escapes. */
export const STORED: Record<RecordKind, Reader> = {
  repository: async (tx, id) =>
    (await rows(tx, 'repositories', id)).map((row) =>
      canonical('repository', String(row['provider_uuid']), {
        full_name: text(row['full_name']),
        slug: text(row['slug']),
        name: text(row['name']),
        description: text(row['description']),
        is_private: row['is_private'] === true,
        main_branch: text(row['main_branch']),
        created_on: instant(row['created_on']),
      }),
    ),
  branch: async (tx, id) =>
    (await rows(tx, 'branches', id)).map((row) =>
      canonical('branch', text(row['name']) ?? '', { target: text(row['target_hash']) }),
    ),
  tag: async (tx, id) =>
    (await rows(tx, 'tags', id)).map((row) =>
      canonical('tag', text(row['name']) ?? '', {
        target: text(row['target_hash']),
        annotated: row['annotated'] === true,
        message: text(row['message']),
        date: instant(row['tagged_at']),
      }),
    ),
  commit: async (tx, id) => (await rows(tx, 'commits', id)).filter(isReachable).map(commit),
  commit_file: async (tx, id) =>
    (await filesOfReachable(tx, id)).map((row) =>
      canonical('commit_file', `${String(row['commit_hash'])} ${base64(row['path'])}`, {
        old_path: base64(row['old_path']),
        added: number(row['lines_added']),
        removed: number(row['lines_removed']),
      }),
    ),
  pull_request: async (tx, id) => (await rows(tx, 'pull_requests', id)).map(pullRequest),
  pull_request_commit: async (tx, id) =>
    (await rows(tx, 'pull_request_commits', id)).map((row) =>
      canonical(
        'pull_request_commit',
        `${String(row['pull_request_number'])} ${String(row['commit_hash'])}`,
        { source: text(row['source']) },
      ),
    ),
  participant: async (tx, id) =>
    (await rows(tx, 'pull_request_participants', id)).map((row) =>
      canonical('participant', `${String(row['pull_request_number'])} ${String(row['account_key'])}`, {
        role: text(row['role']),
        approved: row['approved'] === true,
        state: text(row['state']),
        participated_on: instant(row['participated_on']),
      }),
    ),
  activity: async (tx, id) => (await rows(tx, 'pull_request_activity', id)).map(activity),
  comment: async (tx, id) => (await rows(tx, 'pull_request_comments', id)).map(comment),
  ticket: async (tx, id) => (await rows(tx, 'tickets', id)).map(ticket),
  ticket_comment: async (tx, id) =>
    (await rows(tx, 'ticket_comments', id)).map((row) =>
      canonical('ticket_comment', `${String(row['ticket_number'])} ${String(row['comment_id'])}`, {
        content: text(row['content']),
        user: text(row['author_uuid']),
        created_on: instant(row['created_on']),
        updated_on: instant(row['updated_on']),
      }),
    ),
  ticket_change: async (tx, id) =>
    (await rows(tx, 'ticket_changes', id)).map((row) =>
      canonical('ticket_change', `${String(row['ticket_number'])} ${String(row['change_id'])}`, {
        user: text(row['author_uuid']),
        message: text(row['message']),
        changes: unescapeJson(row['changes']),
        created_on: instant(row['created_on']),
      }),
    ),
};

function commit(row: Row): CanonicalRecord {
  // Where the object is no valid UTF-8, a text with replacement characters stands for bytes kept beside it.
  const raw = row['raw_bytes'] instanceof Uint8Array ? Buffer.from(row['raw_bytes']) : undefined;
  const undecodable = (value: string | null): boolean =>
    raw !== undefined && value?.includes('\ufffd') === true;
  const name = (value: unknown): string | null => (undecodable(text(value)) ? null : text(value));
  const message = text(row['message']);
  const person = (which: 'author' | 'committer', at: string) => [
    name(row[`${which}_name`]),
    name(row[`${which}_email`]),
    instant(row[at]),
    text(row[`${which}_zone`]),
  ];
  return canonical('commit', String(row['hash']), {
    parents: row['parent_hashes'],
    author: person('author', 'authored_at'),
    committer: person('committer', 'committed_at'),
    message: undecodable(message)
      ? `bytes ${raw?.subarray(raw.indexOf('\n\n') + 2).toString('base64')}`
      : message,
    added: number(row['lines_added']),
    removed: number(row['lines_removed']),
    files: number(row['files_changed']),
  });
}

function pullRequest(row: Row): CanonicalRecord {
  const updatedOn = instant(row['updated_on']);
  const side = (name: string) => [
    text(row[`${name}_branch`]),
    text(row[`${name}_hash`]),
    text(row[`${name}_repository_uuid`]),
  ];
  return canonical(
    'pull_request',
    String(row['number']),
    {
      title: text(row['title']),
      description: text(row['description']),
      state: text(row['state']),
      draft: row['draft'] === true,
      author: text(row['author_uuid']),
      closed_by: text(row['closed_by_uuid']),
      reason: text(row['reason']),
      source: side('source'),
      destination: side('destination'),
      merge_commit: text(row['merge_hash']),
      close_source_branch: row['close_source_branch'] === true,
      comment_count: number(row['comment_count']),
      task_count: number(row['task_count']),
      created_on: instant(row['created_on']),
      updated_on: updatedOn,
    },
    updatedOn,
  );
}

const entry = z.looseObject({ update: z.record(z.string(), z.unknown()).default({}) });

function activity(row: Row): CanonicalRecord {
  const { update } = entry.parse(unescapeJson(row['raw']));
  const what = {
    date: instant(row['at']),
    user: text(row['actor_uuid']),
    comment: number(row['comment_id']),
    state: text(row['state']),
    title: typeof update['title'] === 'string' ? update['title'] : null,
    draft: typeof update['draft'] === 'boolean' ? update['draft'] : null,
    reason: typeof update['reason'] === 'string' ? update['reason'] : null,
    changes: update['changes'] ?? null,
  };
  const content = canonical('activity', '', what).content;
  return canonical('activity', `${String(row['pull_request_number'])} ${String(row['kind'])} ${content}`, {});
}

function comment(row: Row): CanonicalRecord {
  const updatedOn = instant(row['updated_on']);
  return canonical(
    'comment',
    `${String(row['pull_request_number'])} ${String(row['comment_id'])}`,
    {
      content: text(row['content']),
      user: text(row['author_uuid']),
      created_on: instant(row['created_on']),
      updated_on: updatedOn,
      deleted: row['deleted'] === true,
      parent: number(row['parent_id']),
      inline: [text(row['inline_path']), number(row['inline_from']), number(row['inline_to'])],
      resolved: row['resolved'] === true,
    },
    updatedOn,
  );
}

function ticket(row: Row): CanonicalRecord {
  const updatedOn = instant(row['updated_on']);
  const names = ['title', 'state', 'priority', 'component', 'milestone', 'version', 'content', 'kind'];
  return canonical(
    'ticket',
    String(row['number']),
    {
      ...Object.fromEntries(names.map((name) => [name, text(row[name])])),
      reporter: text(row['reporter_uuid']),
      assignee: text(row['assignee_uuid']),
      votes: number(row['votes']),
      watches: number(row['watches']),
      created_on: instant(row['created_on']),
      updated_on: updatedOn,
      edited_on: instant(row['edited_on']),
    },
    updatedOn,
  );
}
