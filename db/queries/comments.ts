import { sql } from 'drizzle-orm';
import type { Transaction } from '../client.ts';
import type { KnownShort } from './activity.ts';
import { joinByHash } from './planning.ts';
import { createUpsert, type RepositoryScope, type Row } from './upsert.ts';

export interface CommentRow extends Row {
  pull_request_number: number;
  comment_id: number;
  parent_id: number | null;
  author_uuid: string | null;
  content: string | null;
  inline_path: string | null;
  inline_from: number | null;
  inline_to: number | null;
  deleted: boolean;
  pending: boolean;
  resolved: boolean;
  created_on: string;
  updated_on: string;
  observed_at: string;
  raw: unknown;
}

/** The largest of Postgres' type `integer`. */
const MAX_NUMBER = 2_147_483_647;

const upsert = createUpsert({
  name: 'pull_request_comments',
  key: { pull_request_number: 'integer', comment_id: 'bigint' },
  content: {
    parent_id: 'bigint',
    author_uuid: 'text',
    content: 'text',
    inline_path: 'text',
    inline_from: 'integer',
    inline_to: 'integer',
    deleted: 'boolean',
    pending: 'boolean',
    resolved: 'boolean',
    created_on: 'timestamptz',
    raw: 'jsonb',
  },
  newer: ['updated_on', 'observed_at'],
});

/** Stores a page of comments; returns how many were new or changed. */
export const upsertComments = (
  tx: Transaction,
  scope: RepositoryScope,
  rows: readonly Row[],
): Promise<number> => upsert(tx, scope, rows);

/** Rows, deleted comments too. */
export async function countComments(tx: Transaction, scope: RepositoryScope): Promise<number> {
  const [row] = await tx.execute<{ count: number }>(sql`
    select count(*)::int as count from pull_request_comments
    where organization_id = ${scope.organizationId} and repository_id = ${scope.repositoryId}`);
  return row?.count ?? 0;
}

/** So many numbers of pull requests are held against their comments at once: few more than a look-up needs. */
const WINDOW = 1_000;

export interface ShortOfComments {
  number: number;
  updatedOn: string;
  /** its stored comments do not match its count; false: it only changed */
  short: boolean;
}

/**
 * Pull requests above `after` whose comments must be read from their own list: their stored comments do not match
 * `comment_count`, or they changed since `since` and have comments (an edit or a deletion shows nowhere else).
 * Ordered by number. Those in `known` at their present version are left out.
 * Reads on in windows until `limit` are found, so that a few of a large repository do not cost a look at all of it.
 */
export async function pullRequestsShortOfComments(
  tx: Transaction,
  scope: RepositoryScope,
  range: { after: number; since: string | null; known: KnownShort; limit: number },
): Promise<ShortOfComments[]> {
  await joinByHash(tx);
  const found: ShortOfComments[] = [];
  for (let after: number | undefined = range.after; after !== undefined && found.length < range.limit; ) {
    const window = await shortInWindow(tx, scope, { ...range, after, limit: range.limit - found.length });
    found.push(...window.found);
    after = window.next;
  }
  return found;
}

/**
 * Of the pull requests with the next numbers above `after`. `next`: above what to look next; undefined: none is left.
 *
 * The window's end is a number that is known beforehand. One that the statement finds out itself would be no condition of
 * an index, as row-level security lets no subquery go before it: each window would read all that is behind it.
 */
async function shortInWindow(
  tx: Transaction,
  scope: RepositoryScope,
  range: { after: number; since: string | null; known: KnownShort; limit: number },
): Promise<{ found: ShortOfComments[]; next: number | undefined }> {
  const through = Math.min(range.after + WINDOW, MAX_NUMBER);
  const rows = await tx.execute<{ number: number; updatedOn: string | null; short: boolean | null }>(sql`
    with counted as materialized (
      select pull_request_number as number, count(*) filter (where not deleted) as live, count(*) as stored
      from pull_request_comments
      where organization_id = ${scope.organizationId} and repository_id = ${scope.repositoryId}
        and pull_request_number > ${range.after} and pull_request_number <= ${through}
      group by pull_request_number
    ), compared as (
      select p.number, p.updated_on, p.comment_count is distinct from coalesce(c.live, 0) as short,
        coalesce(p.comment_count, 0) + coalesce(c.stored, 0) > 0 as discussed
      from pull_requests p left join counted c using (number)
      where p.organization_id = ${scope.organizationId} and p.repository_id = ${scope.repositoryId}
        and p.number > ${range.after} and p.number <= ${through}
    )
    (select number, updated_on::text as "updatedOn", short from compared
      where (short and coalesce((${JSON.stringify(range.known)}::jsonb ->> number::text)::timestamptz <> updated_on, true))
        or (discussed and updated_on >= ${range.since}::timestamptz)
      order by number limit ${range.limit})
    union all
    (select number, null, null from pull_requests
      where organization_id = ${scope.organizationId} and repository_id = ${scope.repositoryId}
        and number > ${through}
      order by number limit 1)`);
  const found = rows.flatMap(({ number, updatedOn, short }) =>
    updatedOn === null || short === null ? [] : [{ number, updatedOn, short }],
  );
  const behind = rows.find(({ short }) => short === null);
  return { found, next: behind === undefined ? undefined : behind.number - 1 };
}
