import { sql } from 'drizzle-orm';
import type { Finding, Stream, StreamState } from '../../../workflows/words.ts';
import type { Transaction } from '../../client.ts';
import { STREAM_SUMMARIES, type StreamSummary } from './discovered.ts';
import { limitTo } from './limitTo.ts';

/** How the repositories of an integration fare: those that its credential fetches, and that are there. */

export interface HealthSummary {
  /** how many repositories fare so */
  repositories: { state: StreamState; count: number }[];
  streams: { stream: Stream; state: StreamState; count: number }[];
  failingSince: string | null;
  lastSuccessAt: string | null;
  lastAttemptAt: string | null;
  nextAttemptAt: string | null;
}

/** From one narrow row a repository: those that fare alike are first counted together. */
export async function summarizeHealth(tx: Transaction, integrationId: string): Promise<HealthSummary> {
  const [summary] = await tx.execute<HealthSummary & Record<string, unknown>>(sql`
    with alike as materialized (
      select state, stream_states, count(*)::int as repositories, min(failing_since) as failing_since,
        max(last_success_at) as last_success_at, max(last_attempt_at) as last_attempt_at,
        min(next_attempt_at) as next_attempt_at
      from repository_health where integration_id = ${integrationId} group by 1, 2
    )
    select
      coalesce((select jsonb_agg(to_jsonb(s)) from (
        select state, sum(repositories)::int as count from alike group by 1 order by 1) s), '[]') as repositories,
      coalesce((select jsonb_agg(to_jsonb(s)) from (
        select split_part(word, ' ', 1) as stream, split_part(word, ' ', 2) as state, sum(repositories)::int as count
        from alike, string_to_table(stream_states, ',') word group by 1, 2 order by 1, 2) s), '[]') as streams,
      min(failing_since) as "failingSince", max(last_success_at) as "lastSuccessAt",
      max(last_attempt_at) as "lastAttemptAt", min(next_attempt_at) as "nextAttemptAt"
    from alike`);
  const none = { failingSince: null, lastSuccessAt: null, lastAttemptAt: null, nextAttemptAt: null };
  return summary ?? { repositories: [], streams: [], ...none };
}

export interface RepositoryHealthRow extends Record<string, unknown> {
  id: string;
  fullName: string;
  state: StreamState;
  failures: number;
  failingSince: string | null;
  lastError: Finding | null;
  lastSuccessAt: string | null;
  lastAttemptAt: string | null;
  nextAttemptAt: string | null;
  streams: StreamSummary[];
}

/**
 * Those that fare in one of these ways, in the order of full names. Of each way the index gives a page, and of these
 * together the first are taken. The error is that of the sync, else of the worst stream.
 */
export async function listHealth(
  tx: Transaction,
  filter: {
    integrationId: string;
    states: readonly StreamState[];
    after: { key: string; id: string } | null;
    limit: number;
  },
): Promise<RepositoryHealthRow[]> {
  const { integrationId, states, after, limit } = filter;
  return tx.execute<RepositoryHealthRow>(sql`
    select r.id, r.full_name as "fullName", r.state, coalesce(y.failures, 0) as failures,
      r.failing_since as "failingSince", coalesce(y.last_error, own.last_error) as "lastError",
      r.last_success_at as "lastSuccessAt", r.last_attempt_at as "lastAttemptAt",
      coalesce(r.next_attempt_at, (select min(ir.waiting_until) from import_repositories ir
        where ir.organization_id = r.organization_id and ir.repository_id = r.id
          and ir.state in ('rate_limited', 'needs_credential'))) as "nextAttemptAt",
      own.streams
    from (
      select page.* from unnest(${`{${states.join(',')}}`}::text[]) as faring (state)
      cross join lateral (
        select h.organization_id, h.repository_id as id, h.full_name, h.state, h.failing_since, h.last_success_at,
          h.last_attempt_at, h.next_attempt_at
        from repository_health h
        where h.integration_id = ${integrationId} and h.state = faring.state
          and ${after === null ? sql`true` : sql`(h.full_name, h.repository_id) > (${after.key}, ${after.id}::uuid)`}
        order by h.full_name, h.repository_id ${limitTo(limit)}
      ) page
      order by page.full_name, page.id ${limitTo(limit)}
    ) r
    left join lateral (
      select * from repository_syncs s where s.organization_id = r.organization_id and s.repository_id = r.id
      limit 1
    ) y on true
    left join lateral (
      select
        (array_agg(s.last_error order by s.failing_since) filter (where s.last_error is not null))[1] as last_error,
        ${STREAM_SUMMARIES} as streams
      from streams s where s.organization_id = r.organization_id and s.repository_id = r.id
    ) own on true
    order by r.full_name, r.id`);
}
