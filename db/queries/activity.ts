import { sql } from 'drizzle-orm';
import type { Transaction } from '../client.ts';
import { joinByHash } from './planning.ts';
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

/**
 * The key of the stored entry that has an actor in it, for entries that have none: of the same pull request, kind, time and
 * state, and of several the one that ends with what the entry says. By `place`; those without such a row are left out.
 * A subquery, so that it goes by the key, as in `upsertParts`.
 */
export async function keysWithActor(
  tx: Transaction,
  scope: RepositoryScope,
  entries: readonly Row[],
): Promise<Map<string, string>> {
  const found = await tx.execute<{ place: string; key: string | null }>(sql`
    select r.place, (
      select a.entry_key from pull_request_activity a
      where a.organization_id = ${scope.organizationId} and a.repository_id = ${scope.repositoryId}
        and a.pull_request_number = r.pull_request_number and a.kind = r.kind and a.at = r.at
        and a.state is not distinct from r.state and strpos(a.entry_key, ':{') > 0
      order by right(a.entry_key, length(r.said)) <> r.said, a.entry_key limit 1) as key
    from jsonb_to_recordset(${JSON.stringify(entries)}::jsonb)
      as r(place text, said text, pull_request_number integer, kind text, at timestamptz, state text)`);
  return new Map(found.flatMap(({ place, key }) => (key === null ? [] : [[place, key] as const])));
}

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
 * Those in `known` at their present version are left out, and those of `except`: asking again would give the same.
 */
export async function pullRequestsShortOfActivity(
  tx: Transaction,
  scope: RepositoryScope,
  range: { after: number; known: KnownShort; limit: number; except: PullRequestRange | null },
): Promise<{ number: number; updatedOn: string }[]> {
  const { except } = range;
  await joinByHash(tx);
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
      ${except === null ? sql`` : sql`and not ${isIn(except)}`}
    order by p.number limit ${range.limit}`);
}

/** Which pull requests: those created until, and changed since; null is no bound. */
export interface PullRequestRange {
  createdUntil: string | null;
  changedSince: string | null;
}

const isIn = ({ createdUntil, changedSince }: PullRequestRange) => sql`(
  (${createdUntil}::timestamptz is null or p.created_on <= ${createdUntil}::timestamptz)
  and (${changedSince}::timestamptz is null or p.updated_on >= ${changedSince}::timestamptz))`;

/** The pull requests of a range above `after`, ordered by number. */
export async function pullRequestsOfRange(
  tx: Transaction,
  scope: RepositoryScope,
  { after, limit, ...range }: PullRequestRange & { after: number; limit: number },
): Promise<{ number: number }[]> {
  return tx.execute<{ number: number }>(sql`
    select p.number from pull_requests p
    where p.organization_id = ${scope.organizationId} and p.repository_id = ${scope.repositoryId}
      and p.number > ${after} and ${isIn(range)}
    order by p.number limit ${limit}`);
}

export interface RangeOfActivity {
  pullRequests: number;
  /** at least: what the pull requests themselves tell of */
  entries: number;
  /** pages of 50 entries, each pull request by itself */
  ownPages: number;
  /** when they were opened, milliseconds since 1970: the first, each that ends a twentieth of them, the last; none: [] */
  opened: number[];
}

/** How much activity the pull requests of a range have, as far as they tell: a beginning, an end, comments, votes. */
export async function measureActivity(
  tx: Transaction,
  scope: RepositoryScope,
  range: PullRequestRange,
  entriesAPage: number,
): Promise<RangeOfActivity> {
  await joinByHash(tx);
  const [row] = await tx.execute<RangeOfActivity & Record<string, unknown>>(sql`
    with votes as (
      select pull_request_number as number, count(*) as votes from pull_request_participants
      where organization_id = ${scope.organizationId} and repository_id = ${scope.repositoryId}
        and (approved or state is not null)
      group by 1
    ), measured as (
      select p.created_on, 1 + (p.state <> 'OPEN')::int + coalesce(p.comment_count, 0) + coalesce(v.votes, 0) as entries
      from pull_requests p left join votes v using (number)
      where p.organization_id = ${scope.organizationId} and p.repository_id = ${scope.repositoryId}
        and ${isIn(range)}
    )
    select count(*)::int as "pullRequests", coalesce(sum(entries), 0)::int as entries,
      coalesce(sum(ceil(entries / ${entriesAPage}::float8)), 0)::int as "ownPages", 
      coalesce(percentile_cont((select array_agg(n / 20.0 order by n) from generate_series(0, 20) n)::float8[])
        within group (order by extract(epoch from created_on)::float8 * 1000), '{}') as opened
    from measured`);
  return row ?? { pullRequests: 0, entries: 0, ownPages: 0, opened: [] };
}

/** Whether entries are stored that the feed showed before `before` (null: at all). */
export async function hasFeedEntriesBefore(
  tx: Transaction,
  scope: RepositoryScope,
  before: string | null,
): Promise<boolean> {
  const rows = await tx.execute(sql`
    select 1 from pull_request_activity
    where organization_id = ${scope.organizationId} and repository_id = ${scope.repositoryId}
      and (${before}::timestamptz is null or at < ${before}::timestamptz)
      and raw ->> 'from' is distinct from 'comments'
    limit 1`);
  return rows.length > 0;
}

// Entry and participant tell the time of one vote apart: a recorded webhook has 53 microseconds between such times.
const SAME_VOTE = '1 second';

/**
 * Pull requests above `after` that their own activity is ahead of. Either the last vote of somebody is not in their stored
 * participants, or is there with the time of an earlier one, although it may be newer than they are: an approval need not
 * move `updated_on`, so no list by that shows it. (Votes older than the last look, be it one that quarantine took, do not
 * count, since a withdrawn vote leaves its entry.) Or they are not stored at all, and not in quarantine. Ordered by number.
 */
export async function pullRequestsBehindTheirActivity(
  tx: Transaction,
  scope: RepositoryScope,
  range: { after: number; limit: number; slackSeconds: number },
): Promise<number[]> {
  await joinByHash(tx);
  const rows = await tx.execute<{ number: number }>(sql`
    with votes as materialized (
      select distinct on (pull_request_number, actor_uuid) pull_request_number as number, actor_uuid, kind, at
      from pull_request_activity
      where organization_id = ${scope.organizationId} and repository_id = ${scope.repositoryId}
        and kind in ('approval', 'changes_requested') and pull_request_number > ${range.after}
        and actor_uuid is not null
      order by pull_request_number, actor_uuid, at desc
    ), late as (
    select distinct v.number from votes v
    join pull_requests p on p.organization_id = ${scope.organizationId}
      and p.repository_id = ${scope.repositoryId} and p.number = v.number
    left join pull_request_participants t on t.organization_id = p.organization_id
      and t.repository_id = p.repository_id and t.pull_request_number = v.number and t.account_key = v.actor_uuid
    left join quarantine q on q.organization_id = p.organization_id and q.repository_id = p.repository_id
      and q.stream = 'pull_requests' and q.record_key = v.number::text
    where v.at > greatest(p.observed_at, q.observed_at) - make_interval(secs => ${range.slackSeconds})
      and (t.participated_on < v.at - ${SAME_VOTE}::interval or not coalesce(
        case v.kind when 'approval' then t.approved or t.state = 'approved' else t.state = 'changes_requested' end,
        false))
    ), unknown as (
      select distinct a.pull_request_number as number from pull_request_activity a
      where a.organization_id = ${scope.organizationId} and a.repository_id = ${scope.repositoryId}
        and a.pull_request_number > ${range.after}
        and not exists (
          select 1 from pull_requests p where p.organization_id = a.organization_id
            and p.repository_id = a.repository_id and p.number = a.pull_request_number)
        and not exists (
          select 1 from quarantine q where q.organization_id = a.organization_id
            and q.repository_id = a.repository_id and q.stream = 'pull_requests'
            and q.record_key = a.pull_request_number::text)
    )
    select number from late union select number from unknown
    order by number limit ${range.limit}`);
  return rows.map((row) => row.number);
}
