import { sql } from 'drizzle-orm';
import type { Finding, Stream, StreamState } from '../../../workflows/words.ts';
import type { Transaction } from '../../client.ts';
import { isAbsent } from '../presence.ts';
import { repositoryHealth } from '../repositoryHealth.ts';
import type { StreamSummary } from './discovered.ts';

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

const isFetched = (integrationId: string) => sql`(r.integration_id = ${integrationId} and not ${isAbsent})`;

export async function summarizeHealth(tx: Transaction, integrationId: string): Promise<HealthSummary> {
  const repositories = await tx.execute<{ state: StreamState; count: number }>(sql`
    select ${repositoryHealth} as state, count(*)::int as count
    from repositories r where ${isFetched(integrationId)} group by 1 order by 1`);
  const streams = await tx.execute<{ stream: Stream; state: StreamState; count: number }>(sql`
    select s.stream, s.state, count(*)::int as count
    from repositories r join streams s on s.organization_id = r.organization_id and s.repository_id = r.id
    where ${isFetched(integrationId)} group by 1, 2 order by 1, 2`);
  const [times] = await tx.execute<
    Omit<HealthSummary, 'repositories' | 'streams'> & Record<string, unknown>
  >(sql`
    select least(min(s.failing_since), min(y.failing_since)) as "failingSince",
      greatest(max(s.last_success_at), max(y.last_success_at)) as "lastSuccessAt",
      greatest(max(s.last_attempt_at), max(y.last_attempt_at)) as "lastAttemptAt",
      min(y.next_attempt_at) as "nextAttemptAt"
    from repositories r
    left join streams s on s.organization_id = r.organization_id and s.repository_id = r.id
    left join repository_syncs y on y.organization_id = r.organization_id and y.repository_id = r.id
    where ${isFetched(integrationId)}`);
  const none = { failingSince: null, lastSuccessAt: null, lastAttemptAt: null, nextAttemptAt: null };
  return { repositories: [...repositories], streams: [...streams], ...(times ?? none) };
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

/** Those that fare in one of these ways, in the order of full names. The error is that of the sync, else of the worst stream. */
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
      least(y.failing_since, own.failing_since) as "failingSince",
      coalesce(y.last_error, own.last_error) as "lastError",
      greatest(y.last_success_at, own.last_success_at) as "lastSuccessAt",
      greatest(y.last_attempt_at, own.last_attempt_at) as "lastAttemptAt",
      coalesce(y.next_attempt_at, (select min(ir.waiting_until) from import_repositories ir
        where ir.organization_id = r.organization_id and ir.repository_id = r.id
          and ir.state in ('rate_limited', 'needs_credential'))) as "nextAttemptAt",
      coalesce(own.streams, '[]') as streams
    from (
      select r.organization_id, r.id, r.full_name, ${repositoryHealth} as state
      from repositories r where ${isFetched(integrationId)}
    ) r
    left join repository_syncs y on y.organization_id = r.organization_id and y.repository_id = r.id
    left join lateral (
      select min(s.failing_since) as failing_since, max(s.last_success_at) as last_success_at,
        max(s.last_attempt_at) as last_attempt_at,
        (array_agg(s.last_error order by s.failing_since) filter (where s.last_error is not null))[1] as last_error,
        jsonb_agg(jsonb_build_object('stream', s.stream, 'state', s.state, 'failing_since', s.failing_since,
          'last_error', s.last_error, 'last_success_at', s.last_success_at, 'last_attempt_at', s.last_attempt_at)
          order by s.stream) as streams
      from streams s where s.organization_id = r.organization_id and s.repository_id = r.id
    ) own on true
    where r.state = any (${`{${states.join(',')}}`}::text[])
      and ${after === null ? sql`true` : sql`(r.full_name, r.id) > (${after.key}, ${after.id}::uuid)`}
    order by r.full_name, r.id limit ${limit}`);
}
