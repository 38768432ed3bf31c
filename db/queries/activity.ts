import { sql } from 'drizzle-orm';
import type { Transaction } from '../client.ts';
import {
  createInsertMissing,
  createUpsert,
  type RepositoryScope,
  type Row,
  type UpsertTable,
} from './upsert.ts';

export interface ActivityRow extends Row {
  pull_request_number: number;
  entry_key: string;
  kind: 'update' | 'approval' | 'changes_requested' | 'comment';
  actor_uuid: string | null;
  at: string;
  state: string | null;
  comment_id: number | null;
  raw: unknown;
  observed_at: string;
}

const table: UpsertTable = {
  name: 'pull_request_activity',
  key: { pull_request_number: 'integer', entry_key: 'text' },
  content: {
    kind: 'text',
    actor_uuid: 'text',
    at: 'timestamptz',
    state: 'text',
    comment_id: 'bigint',
    raw: 'jsonb',
  },
  newer: ['observed_at'],
};

const upsert = createUpsert(table);

/** Stores a page of activity entries; returns how many were new or changed. */
export const upsertActivity = (
  tx: Transaction,
  scope: RepositoryScope,
  rows: readonly Row[],
): Promise<number> => upsert(tx, scope, rows);

const missing = createInsertMissing(table);

/**
 * Stores entries that follow from comments read from their own lists, where the feed has not shown them: what the feed
 * says of a comment stays as it is. Returns how many were added.
 */
export const insertActivityOfComments = (
  tx: Transaction,
  scope: RepositoryScope,
  rows: readonly Row[],
): Promise<number> => missing(tx, scope, rows);

export async function countActivity(tx: Transaction, scope: RepositoryScope): Promise<number> {
  const [row] = await tx.execute<{ count: number }>(sql`
    select count(*)::int as count from pull_request_activity
    where organization_id = ${scope.organizationId} and repository_id = ${scope.repositoryId}`);
  return row?.count ?? 0;
}

/** `{ "<number>": "<updated_on>" }`: pull requests whose own activity was read at that version and still fell short. */
export type KnownShort = Record<string, string>;

/**
 * Pull requests above `after` for which the stored activity lacks what their own row says must be there: an entry for
 * each participant who approved or asked for changes, and one for a merged or declined state. Entries of comments follow
 * from the comments (`insertActivityOfComments`). Ordered by number.
 * Those in `known` at their present version are left out: asking again would give the same.
 */
export async function pullRequestsShortOfActivity(
  tx: Transaction,
  scope: RepositoryScope,
  range: { after: number; known: KnownShort; limit: number },
): Promise<{ number: number; updatedOn: string }[]> {
  return tx.execute<{ number: number; updatedOn: string }>(sql`
    with entries as materialized (
      select distinct pull_request_number, kind, actor_uuid, state from pull_request_activity
      where organization_id = ${scope.organizationId} and repository_id = ${scope.repositoryId}
        and kind <> 'comment' and pull_request_number > ${range.after}
    ), voted as (
      select pull_request_number, case when approved or state = 'approved' then 'approval' else state end as kind,
        case when account_key like '{%' then account_key end as actor
      from pull_request_participants
      where organization_id = ${scope.organizationId} and repository_id = ${scope.repositoryId}
        and pull_request_number > ${range.after} and (approved or state in ('approved', 'changes_requested'))
    ), short as (
      select v.pull_request_number as number from voted v
      where not exists (
        select 1 from entries e where e.pull_request_number = v.pull_request_number and e.kind = v.kind
          and coalesce(e.actor_uuid, '') = coalesce(v.actor, ''))
      union
      select p.number from pull_requests p
      where p.organization_id = ${scope.organizationId} and p.repository_id = ${scope.repositoryId}
        and p.number > ${range.after} and p.state in ('MERGED', 'DECLINED')
        and not exists (
          select 1 from entries e where e.pull_request_number = p.number and e.kind = 'update' and e.state = p.state)
    )
    select p.number, p.updated_on::text as "updatedOn" from pull_requests p join short using (number)
    where p.organization_id = ${scope.organizationId} and p.repository_id = ${scope.repositoryId}
      and coalesce((${JSON.stringify(range.known)}::jsonb ->> p.number::text)::timestamptz <> p.updated_on, true)
    order by p.number limit ${range.limit}`);
}

/** All pull requests above `after`, for the case that the repository-wide feed cannot be had. */
export async function pullRequestsAfter(
  tx: Transaction,
  scope: RepositoryScope,
  range: { after: number; since: string | null; limit: number },
): Promise<{ number: number; updatedOn: string }[]> {
  return tx.execute<{ number: number; updatedOn: string }>(sql`
    select number, updated_on::text as "updatedOn" from pull_requests
    where organization_id = ${scope.organizationId} and repository_id = ${scope.repositoryId}
      and number > ${range.after}
      and (${range.since}::timestamptz is null or updated_on >= ${range.since}::timestamptz)
    order by number limit ${range.limit}`);
}

/**
 * Pull requests above `after` whose last vote of somebody is not in their stored participants although it may be newer
 * than they are: an approval need not move `updated_on`, so no list by that shows it. Votes older than the stored version
 * do not count, since a withdrawn vote leaves its entry. Ordered by number.
 */
export async function pullRequestsWithLateVotes(
  tx: Transaction,
  scope: RepositoryScope,
  range: { after: number; limit: number; slackSeconds: number },
): Promise<number[]> {
  const rows = await tx.execute<{ number: number }>(sql`
    with votes as materialized (
      select distinct on (pull_request_number, actor_uuid) pull_request_number as number, actor_uuid, kind, at
      from pull_request_activity
      where organization_id = ${scope.organizationId} and repository_id = ${scope.repositoryId}
        and kind in ('approval', 'changes_requested') and pull_request_number > ${range.after}
        and actor_uuid is not null
      order by pull_request_number, actor_uuid, at desc
    )
    select distinct v.number from votes v
    join pull_requests p on p.organization_id = ${scope.organizationId}
      and p.repository_id = ${scope.repositoryId} and p.number = v.number
    left join pull_request_participants t on t.organization_id = p.organization_id
      and t.repository_id = p.repository_id and t.pull_request_number = v.number and t.account_key = v.actor_uuid
    where v.at > p.observed_at - make_interval(secs => ${range.slackSeconds})
      and not coalesce(
        case v.kind when 'approval' then t.approved or t.state = 'approved' else t.state = 'changes_requested' end,
        false)
    order by v.number limit ${range.limit}`);
  return rows.map((row) => row.number);
}
