import { type SQL, sql } from 'drizzle-orm';
import { USUAL_ENTRIES } from '../../forecast/activity.ts';
import { ASKED_OF_TICKET, PAGE_LENGTH, SHORT_IN_FEED } from '../../forecast/requests.ts';
import type { Transaction } from '../client.ts';
import { rateOf } from './rates.ts';

/**
 * Several imports may want a repository at the same time; one run reads it for all. These statements say whose rows show
 * its progress.
 */

const lengths = JSON.stringify(PAGE_LENGTH);

const lengthOf = (stream: SQL) => sql`(${lengths}::jsonb ->> ${stream})::numeric`;
const FEED_PAGE = lengthOf(sql`'pull_request_activity'`);

/** Pull requests, or tickets, that stream `s` is about: as many as their list says, or has shown; none before its first page. */
const listed = sql`coalesce(greatest(list.records_expected, list.records_stored), 0)`;

/**
 * Requests that are left of a stream whose walk says nothing of it (`ahead` of its position): it has not begun. From the
 * list that it goes by, with the ratios of the estimate. All of the feed is read, or what is newer than a watermark, where each
 * pull request that changed has an entry at least. Comments come with the feed or with a pull request's own activity,
 * except where the feed falls short (which is the same of any number of pull requests), and where pull requests changed.
 */
const leftByList = sql`case
    when s.stream = 'pull_request_activity' and ${listed} = 0 and list.state = 'healthy' and walk.whole then 0
    when s.stream = 'pull_request_activity' and walk.phase in ('votes', 'repair') then 0
    when s.stream = 'pull_request_activity' and walk.whole and s.method = 'per_pull_request' then ${listed}
    when s.stream = 'pull_request_activity' then greatest(1,
      ceil(${listed} * case when walk.whole then ${USUAL_ENTRIES}::numeric else 1 end / ${FEED_PAGE}))
    when s.stream = 'pull_request_comments' and walk.whole then round(greatest(0, ${listed} - walk.passed)
      * (s.requests + 1) / (walk.passed + ${1 / SHORT_IN_FEED.expected}::numeric))
    when s.stream = 'pull_request_comments' then greatest(0, ${listed} - s.requests)
    else greatest(0, ceil(${listed} * ${ASKED_OF_TICKET.expected}::numeric) - s.requests) end`;

/** Stream `s` failed in an earlier try of its repository: the one that is to come, or in hand, reads on. */
const isReadAgain = sql`coalesce((select o.state = 'pending' or s.finished_at < o.started_at from import_repositories o
  where o.organization_id = s.organization_id and o.import_id = s.import_id and o.repository_id = s.repository_id), false)`;

/**
 * Requests that are left of a stream `s`: pages of what is expected and not stored. Where nothing is known yet, the
 * least that it can be: a list is asked for once. What hangs by a list is not announced: its walk says how much lies ahead,
 * and before it has begun, the list does. Of commits nobody says how many there are: where they are listed, one page is
 * the least.
 */
const requestsLeft = sql`case
    when s.state in ('healthy', 'unavailable', 'switched_off') then 0
    when s.state = 'failed' and not ${isReadAgain} then 0
    when s.stream in ('refs', 'commits') then (select case when n.commit_source = 'git' then 0
        when s.stream = 'refs' then 2 else 1 end
      from imports i join integrations n on n.organization_id = i.organization_id and n.id = i.integration_id
      where i.organization_id = s.organization_id and i.id = s.import_id)
    when s.stream in ('pull_requests', 'tickets') then greatest(1,
      ceil((s.records_expected - s.records_stored) / ${lengthOf(sql`s.stream`)}))
    when s.stream in ('pull_request_activity', 'pull_request_comments', 'ticket_comments', 'ticket_changes') then (
      select coalesce(walk.requests, ${leftByList})
      from (
        select max((w.position -> 'ahead' ->> 'requests')::numeric) as requests, max(w.position ->> 'phase') as phase,
          coalesce(max((w.position ->> 'after')::numeric), 0) as passed,
          max(w.watermark) is null or (select i.mode = 'full' from imports i
            where i.organization_id = s.organization_id and i.id = s.import_id) as whole
        from streams w where w.organization_id = s.organization_id and w.repository_id = s.repository_id
          and w.stream = s.stream
      ) walk
      left join import_streams list on list.organization_id = s.organization_id and list.import_id = s.import_id
        and list.repository_id = s.repository_id and list.stream = case
          when s.stream like 'ticket%' then 'tickets' else 'pull_requests' end)
    else 0 end::float8`;

/**
 * The streams of an import as a table: its own, and those of another import's run that it waits for. `own_requests` are
 * those made for this import: a request is counted once.
 */
export const progressOf = (importId: string) => sql`(
  select s.*, ${requestsLeft} as requests_left, ${rateOf('records')} as records_rate,
    ${rateOf('requests')} as requests_rate, case when r.read_by is null then s.requests else coalesce((
      select mine.requests from import_streams mine
      where mine.organization_id = r.organization_id and mine.import_id = r.import_id
        and mine.repository_id = r.repository_id and mine.stream = s.stream), 0) end as own_requests
  from import_repositories r
  join import_streams s on s.organization_id = r.organization_id
    and s.import_id = coalesce(r.read_by, r.import_id) and s.repository_id = r.repository_id
  where r.import_id = ${importId})`;

/**
 * Likewise of what is not settled (`importTotals.ts`): few rows, however many repositories have ended. Nothing is left of
 * a repository that has ended. `limit 1`: of a table that has just been filled Postgres believes that it holds a row, and
 * would hold each stream against all repositories of the import.
 */
export const liveProgressOf = (importId: string) => sql`(
  select s.*, s.requests as own_requests, r.state as repository_state, ${rateOf('records')} as records_rate,
    ${rateOf('requests')} as requests_rate,
    case when r.state in ('completed', 'failed', 'cancelled') then 0 else ${requestsLeft} end as requests_left
  from import_streams s
  cross join lateral (
    select o.state, o.read_by from import_repositories o where o.organization_id = s.organization_id
      and o.import_id = s.import_id and o.repository_id = s.repository_id limit 1
  ) r
  where s.import_id = ${importId} and not s.settled and r.read_by is null
  union all
  select s.*, coalesce(mine.requests, 0), r.state, ${rateOf('records')}, ${rateOf('requests')}, ${requestsLeft}
  from import_repositories r
  join import_streams s on s.organization_id = r.organization_id and s.import_id = r.read_by
    and s.repository_id = r.repository_id
  left join import_streams mine on mine.organization_id = r.organization_id and mine.import_id = r.import_id
    and mine.repository_id = r.repository_id and mine.stream = s.stream
  where r.import_id = ${importId} and r.read_by is not null)`;

type OfRun = { importId: string; repositoryId: string };

/** The run of this import reads the repository from now on, for every other import in which it has begun and not ended. */
export async function takeReading(tx: Transaction, { importId, repositoryId }: OfRun): Promise<void> {
  await tx.execute(sql`
    update import_repositories set read_by = nullif(${importId}::uuid, import_id)
    where repository_id = ${repositoryId} and state not in ('completed', 'failed', 'cancelled')
      and (import_id = ${importId} or state <> 'pending')`);
}

/** This import waits for the run of another. */
export async function borrowReading(tx: Transaction, { importId, repositoryId }: OfRun): Promise<void> {
  await tx.execute(sql`
    update import_repositories ir set read_by = (
      select o.import_id from import_repositories o
      where o.organization_id = ir.organization_id and o.repository_id = ir.repository_id and o.read_by is null
        and o.import_id <> ir.import_id and o.state not in ('pending', 'completed', 'failed', 'cancelled')
      limit 1)
    where ir.import_id = ${importId} and ir.repository_id = ${repositoryId}`);
}

/**
 * Counters of the streams that this import goes on with where another left them: a walk in hand belongs to whoever
 * stored its position. A stream that another has ended meanwhile is read again from its watermark, so it counts anew; one
 * that this import itself has ended and reads again in a closing round keeps what was counted.
 */
export async function inheritProgress(tx: Transaction, { importId, repositoryId }: OfRun): Promise<void> {
  await tx.execute(sql`
    update import_streams mine set records_stored = coalesce(theirs.records_stored, 0),
      records_expected = theirs.records_expected, expected_basis = theirs.expected_basis
    from streams s
    left join import_streams theirs on theirs.organization_id = s.organization_id
      and theirs.repository_id = s.repository_id and theirs.stream = s.stream
      and theirs.import_id = (s.position ->> 'import')::uuid
    where mine.import_id = ${importId} and mine.repository_id = ${repositoryId}
      and s.organization_id = mine.organization_id and s.repository_id = mine.repository_id and s.stream = mine.stream
      and mine.state not in ('healthy', 'unavailable', 'switched_off') and mine.stream not in ('refs', 'commits')
      and (s.position ->> 'import')::uuid is distinct from mine.import_id
      and s.memory -> 'import' ->> 'importId' is distinct from mine.import_id::text`);
}
