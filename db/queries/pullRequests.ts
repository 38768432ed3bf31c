import { sql } from 'drizzle-orm';
import type { Transaction } from '../client.ts';
import { bind, rowsParameter, upsertParts, type RepositoryScope, type Row } from './upsert.ts';

export interface PullRequestRow extends Row {
  number: number;
  updated_on: string;
  observed_at: string;
  /** null: the answer did not carry them, and what is stored stays */
  participants: ParticipantRow[] | null;
}

export interface ParticipantRow extends Row {
  account_key: string;
  role: string;
  approved: boolean;
  state: string | null;
  participated_on: string | null;
}

const { input, write } = upsertParts(
  {
    name: 'pull_requests',
    key: { number: 'integer' },
    content: {
      title: 'text',
      description: 'text',
      state: 'text',
      draft: 'boolean',
      author_uuid: 'text',
      closed_by_uuid: 'text',
      reason: 'text',
      source_branch: 'text',
      source_hash: 'text',
      source_repository_uuid: 'text',
      destination_branch: 'text',
      destination_hash: 'text',
      destination_repository_uuid: 'text',
      merge_hash: 'text',
      close_source_branch: 'boolean',
      comment_count: 'integer',
      task_count: 'integer',
      created_on: 'timestamptz',
      raw: 'jsonb',
    },
    newer: ['updated_on', 'observed_at'],
    besides: { participants: 'jsonb' },
  },
  ['organization_id', 'repository_id'],
);

// Participants belong to the version of the pull request that carried them: they are replaced where that is not older
// than the stored one, in the same statement, and written only where they differ (so reading in full repairs them too).
const text = `with input as materialized (${input}),
  written as (${write}),
  accepted as materialized (
    select i.number, i.participants from input i
    where jsonb_typeof(i.participants) = 'array' and coalesce((
      select (i.updated_on, i.observed_at) >= (t.updated_on, t.observed_at) from pull_requests t
      where t.organization_id = $organization_id$ and t.repository_id = $repository_id$ and t.number = i.number), true)
  ),
  people as materialized (
    select a.number, p.account_key, p.role, p.approved, p.state, p.participated_on
    from accepted a,
    lateral jsonb_to_recordset(a.participants) as p(account_key text, role text, approved boolean, state text,
      participated_on timestamptz)
  ),
  gone as (
    delete from pull_request_participants p
    where p.organization_id = $organization_id$ and p.repository_id = $repository_id$
      and p.pull_request_number = any (array(select number from accepted))
      and not exists (
        select 1 from people n where n.number = p.pull_request_number and n.account_key = p.account_key)
  ),
  stored as (
    insert into pull_request_participants as t
      (organization_id, repository_id, pull_request_number, account_key, role, approved, state, participated_on)
    select $organization_id$, $repository_id$, number, account_key, role, approved, state, participated_on
    from people order by number, account_key
    on conflict (organization_id, repository_id, pull_request_number, account_key) do update set
      role = excluded.role, approved = excluded.approved, state = excluded.state,
      participated_on = excluded.participated_on
    where (excluded.role, excluded.approved, excluded.state, excluded.participated_on)
      is distinct from (t.role, t.approved, t.state, t.participated_on)
  )
  select count(*)::int as written from written`;

const scoped = (scope: RepositoryScope) => ({
  organization_id: sql`${scope.organizationId}::uuid`,
  repository_id: sql`${scope.repositoryId}::uuid`,
});

/** Stores a page of pull requests with their participants; returns how many were new or changed. */
export async function upsertPullRequests(
  tx: Transaction,
  scope: RepositoryScope,
  rows: readonly Row[],
): Promise<number> {
  if (rows.length === 0) return 0;
  const [row] = await tx.execute<{ written: number }>(
    bind(text, { rows: rowsParameter(rows), ...scoped(scope) }),
  );
  return row?.written ?? 0;
}

/**
 * Remembers when these pull requests were looked at for late votes, where they said nothing new: a vote that is not among
 * their participants then (it was taken back) is not looked for again. Not sooner than `slackSeconds` behind the last
 * time: so long looks go on anyway, and one that finds nothing should write nothing.
 */
export async function noteObserved(
  tx: Transaction,
  scope: RepositoryScope,
  rows: readonly Row[],
  slackSeconds: number,
): Promise<void> {
  const seen = rows.map(({ number, updated_on, observed_at }) => ({ number, updated_on, observed_at }));
  await tx.execute(sql`
    with input as materialized (
      select * from jsonb_to_recordset(${JSON.stringify(seen)}::jsonb)
        as r(number integer, updated_on timestamptz, observed_at timestamptz)
    )
    update pull_requests p set observed_at = i.observed_at from input i
    where p.organization_id = ${scope.organizationId} and p.repository_id = ${scope.repositoryId}
      and p.number = any (array(select number from input)) and p.number = i.number
      and p.updated_on <= i.updated_on and p.observed_at < i.observed_at - make_interval(secs => ${slackSeconds})`);
}

export async function countPullRequests(tx: Transaction, scope: RepositoryScope): Promise<number> {
  const [row] = await tx.execute<{ count: number }>(sql`
    select count(*)::int as count from pull_requests
    where organization_id = ${scope.organizationId} and repository_id = ${scope.repositoryId}`);
  return row?.count ?? 0;
}
