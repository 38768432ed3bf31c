import { sql } from 'drizzle-orm';
import type { GapReason } from '../../workflows/words.ts';
import type { Transaction } from '../client.ts';
import { joinByHash } from './planning.ts';
import type { RepositoryScope } from './upsert.ts';

/**
 * What Bitbucket announces of a pull request and does not give: held against the stored rows here, so that it is known
 * whether every announced record is stored, in quarantine, or proven not to be had.
 */

/** What is certain of one pull request's own list. */
interface ListEnd {
  number: number;
  outcome: GapReason;
  /** records in it that are not deleted; null: the list could not be read */
  live: number | null;
}

export interface Standing {
  /** announced, proven not to be had */
  gone: number;
  notPermitted: number;
  /** announced, and nothing is known of them */
  lacking: number;
}

const ofScope = (scope: RepositoryScope, table = '') => {
  const prefix = sql.raw(table === '' ? '' : `${table}.`);
  return sql`${prefix}organization_id = ${scope.organizationId} and ${prefix}repository_id = ${scope.repositoryId}`;
};

/** Keeps, or lets go of, the gap between `comment_count` of a pull request and its own list of comments. */
export async function recordCommentGap(tx: Transaction, scope: RepositoryScope, end: ListEnd): Promise<void> {
  const live =
    end.live === null
      ? sql`(select count(*) from pull_request_comments c
          where ${ofScope(scope, 'c')} and c.pull_request_number = p.number and not c.deleted)`
      : sql`${end.live}`;
  await recordGap(tx, scope, 'pull_request_comments', end, sql`coalesce(p.comment_count, 0) - ${live}`);
}

/**
 * Votes and closing states of pull requests for which no entry is stored, a row each. `only`: a condition on the number.
 */
const factsWithoutEntry = (scope: RepositoryScope, only = sql`true`) => sql`
  with entries as materialized (
    select distinct pull_request_number, kind, actor_uuid, state from pull_request_activity
    where ${ofScope(scope)} and kind <> 'comment' and ${only}
  ), voted as (
    select pull_request_number, case when approved or state = 'approved' then 'approval' else state end as kind,
      case when account_key like '{%' then account_key end as actor
    from pull_request_participants
    where ${ofScope(scope)} and (approved or state in ('approved', 'changes_requested')) and ${only}
  )
  select v.pull_request_number as number from voted v
  where not exists (
    select 1 from entries e where e.pull_request_number = v.pull_request_number and e.kind = v.kind
      and coalesce(e.actor_uuid, '') = coalesce(v.actor, ''))
  union all
  select p.pull_request_number from (
    select number as pull_request_number, state from pull_requests
    where ${ofScope(scope)} and state in ('MERGED', 'DECLINED')) p
  where ${only} and not exists (
    select 1 from entries e where e.pull_request_number = p.pull_request_number and e.kind = 'update'
      and e.state = p.state)`;

/** Keeps, or lets go of, the gap between what a pull request says of itself and its own activity. */
export async function recordActivityGap(
  tx: Transaction,
  scope: RepositoryScope,
  end: ListEnd,
): Promise<void> {
  const facts = factsWithoutEntry(scope, sql`pull_request_number = ${end.number}`);
  await recordGap(tx, scope, 'pull_request_activity', end, sql`(select count(*) from (${facts}) f)`);
}

type GapStream = 'pull_request_comments' | 'pull_request_activity';

async function recordGap(
  tx: Transaction,
  scope: RepositoryScope,
  stream: GapStream,
  { number, outcome }: ListEnd,
  records: ReturnType<typeof sql>,
): Promise<void> {
  await tx.execute(sql`
    with gap as (
      select p.number, p.updated_on, ${records} as records from pull_requests p
      where ${ofScope(scope, 'p')} and p.number = ${number}
    ), closed as (
      delete from source_gaps g using gap
      where ${ofScope(scope, 'g')} and g.stream = ${stream} and g.number = gap.number and gap.records <= 0
    )
    insert into source_gaps as g (organization_id, repository_id, stream, number, records, reason, version)
    select ${scope.organizationId}::uuid, ${scope.repositoryId}::uuid, ${stream}, number, records, ${outcome}, updated_on
    from gap where records > 0
    on conflict (organization_id, repository_id, stream, number) do update set
      records = excluded.records, reason = excluded.reason, version = excluded.version, at = excluded.at`);
}

const NONE: Standing = { gone: 0, notPermitted: 0, lacking: 0 };

/** Holds `comment_count` of every pull request against the stored comments that are not deleted. */
export async function commentStanding(tx: Transaction, scope: RepositoryScope): Promise<Standing> {
  return standing(
    tx,
    scope,
    'pull_request_comments',
    sql`
      select p.number, p.comment_count - coalesce(c.live, 0) as short
      from pull_requests p left join (
        select pull_request_number as number, count(*) filter (where not deleted) as live
        from pull_request_comments where ${ofScope(scope)} group by 1) c using (number)
      where ${ofScope(scope, 'p')} and p.comment_count > coalesce(c.live, 0)`,
  );
}

/** Holds votes and closing states of every pull request against the stored entries. */
export async function activityStanding(tx: Transaction, scope: RepositoryScope): Promise<Standing> {
  const facts = factsWithoutEntry(scope);
  return standing(
    tx,
    scope,
    'pull_request_activity',
    sql`select number, count(*) as short from (${facts}) f group by 1`,
  );
}

/** A gap counts for the version of the pull request that it was found at. */
async function standing(
  tx: Transaction,
  scope: RepositoryScope,
  stream: GapStream,
  short: ReturnType<typeof sql>,
): Promise<Standing> {
  await joinByHash(tx);
  const [row] = await tx.execute<Standing & Record<string, unknown>>(sql`
    with short as materialized (${short}), held as materialized (
      select parent_number as number, count(*) as held from quarantine
      where ${ofScope(scope)} and stream = ${stream} and parent_number is not null group by 1
    ), open as (
      select number, greatest(0, short - coalesce(held, 0)) as open from short left join held using (number)
    ), explained as (
      select o.open, least(o.open, coalesce(g.records, 0)) as gap, g.reason from open o
      left join pull_requests p on ${ofScope(scope, 'p')} and p.number = o.number
      left join source_gaps g on ${ofScope(scope, 'g')} and g.stream = ${stream} and g.number = o.number
        and g.version = p.updated_on
    )
    select coalesce(sum(gap) filter (where reason <> 'not_permitted'), 0)::float8 as gone,
      coalesce(sum(gap) filter (where reason = 'not_permitted'), 0)::float8 as "notPermitted",
      coalesce(sum(open - gap), 0)::float8 as lacking
    from explained`);
  return row ?? NONE;
}
