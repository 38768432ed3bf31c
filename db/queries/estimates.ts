import { sql } from 'drizzle-orm';
import type {
  CommitSource,
  EstimateState,
  Finding,
  ImportMode,
  IntegrationState,
  Service,
  Stream,
} from '../../workflows/words.ts';
import type { Transaction } from '../client.ts';
import { accountKeyOf } from './accountKey.ts';
import { chosenBy } from './importSelection.ts';
import { jsonText } from './jsonText.ts';

/** Rows of estimates, as their workflow writes them. Every function runs inside a transaction of the tenant. */

/** Marks a pending estimate as running. False: it runs already, or has ended, or is gone. */
export async function startEstimate(tx: Transaction, estimateId: string): Promise<boolean> {
  const rows = await tx.execute(sql`
    update import_estimates set state = 'running', started_at = clock_timestamp()
    where id = ${estimateId} and state = 'pending' returning id`);
  return rows.length > 0;
}

/** The repositories that the selection chooses and the integration sees, with their sizes in bytes. */
export async function chosenForEstimate(
  tx: Transaction,
  estimateId: string,
): Promise<{ id: string; sizeBytes: number | null }[]> {
  return tx.execute<{ id: string; sizeBytes: number | null }>(sql`
    select r.id, r.size_bytes::float8 as "sizeBytes"
    from import_estimates i
    join integration_repositories seen
      on seen.organization_id = i.organization_id and seen.integration_id = i.integration_id
    join repositories r on r.organization_id = seen.organization_id and r.id = seen.repository_id
    where i.id = ${estimateId} and ${chosenBy(sql`i.selection`, sql`i.integration_id`)}`);
}

/** Stores which repositories are asked about, in this order, and how many were chosen in all. */
export async function insertSample(
  tx: Transaction,
  input: {
    organizationId: string;
    estimateId: string;
    total: number;
    sampled: readonly { id: string; stratum: number; weight: number }[];
  },
): Promise<void> {
  await tx.execute(sql`
    update import_estimates set repositories_total = ${input.total} where id = ${input.estimateId}`);
  await tx.execute(sql`
    insert into import_estimate_repositories (organization_id, estimate_id, repository_id, place, stratum, weight)
    select ${input.organizationId}, ${input.estimateId}, s.id, s.place, s.stratum, s.weight
    from rows from (jsonb_to_recordset(${JSON.stringify(input.sampled)}::jsonb)
      as (id uuid, stratum int, weight float8)) with ordinality as s (id, stratum, weight, place)
    on conflict (organization_id, estimate_id, repository_id) do nothing`);
}

/** Repositories chosen and asked about; `first`: the name of the one that is asked first. undefined: it is gone. */
export async function countSample(
  tx: Transaction,
  estimateId: string,
): Promise<{ total: number; sampled: number; first: string | null } | undefined> {
  const [row] = await tx.execute<{ total: number; sampled: number; first: string | null }>(sql`
    select coalesce(e.repositories_total, 0) as total, count(s.repository_id)::int as sampled,
      min(r.full_name) filter (where s.place = 1) as first
    from import_estimates e
    left join import_estimate_repositories s on s.organization_id = e.organization_id and s.estimate_id = e.id
    left join repositories r on r.organization_id = s.organization_id and r.id = s.repository_id
    where e.id = ${estimateId}
    group by e.repositories_total`);
  return row;
}

export interface EstimatePlan {
  state: EstimateState;
  integrationState: IntegrationState;
  mode: ImportMode;
  total: number | null;
  services: Service[];
  commitSource: CommitSource;
  /** the credential that signs; null: the integration has none at present */
  credentialId: string | null;
  accountKey: string | null;
}

/** What an estimate is about; undefined: it or its integration is gone. */
export async function readEstimatePlan(
  tx: Transaction,
  estimateId: string,
): Promise<EstimatePlan | undefined> {
  const [row] = await tx.execute<EstimatePlan & Record<string, unknown>>(sql`
    select e.state, n.state as "integrationState", e.mode, e.repositories_total as total, n.services,
      n.commit_source as "commitSource",
      n.credential_id as "credentialId",
      ${accountKeyOf('c')} as "accountKey"
    from import_estimates e
    join integrations n on n.organization_id = e.organization_id and n.id = e.integration_id
    left join credentials c on c.organization_id = n.organization_id and c.id = n.credential_id
    where e.id = ${estimateId}`);
  return row;
}

export interface EstimatedRepository {
  repositoryId: string;
  fullName: string;
  sizeBytes: number | null;
  hasIssues: boolean | null;
  stratum: number;
  weight: number;
  done: boolean;
  requests: number;
  facts: Record<string, unknown>;
  finding: Finding | null;
  /** watermarks that an earlier import left; null: none did, or one is in hand */
  pullRequestsSince: string | null;
  activitySince: string | null;
  ticketsSince: string | null;
  /** streams whose whole list an earlier import found to be empty */
  foundEmpty: Stream[];
}

/** The repositories that an estimate asks about, in order. */
export async function readSample(tx: Transaction, estimateId: string): Promise<EstimatedRepository[]> {
  const since = (stream: string) => sql`(
    select w.watermark::text from streams w
    where w.organization_id = s.organization_id and w.repository_id = s.repository_id and w.stream = ${stream}
      and w.position is null)`;
  return tx.execute<EstimatedRepository & Record<string, unknown>>(sql`
    select s.repository_id as "repositoryId", r.full_name as "fullName", r.size_bytes::float8 as "sizeBytes",
      r.has_issues as "hasIssues", s.stratum, s.weight, s.done, s.requests::float8 as requests, s.facts, s.finding,
      ${since('pull_requests')} as "pullRequestsSince",
      ${since('pull_request_activity')} as "activitySince", ${since('tickets')} as "ticketsSince",
      array(select w.stream::text from streams w
        where w.organization_id = s.organization_id and w.repository_id = s.repository_id
          and w.memory ->> 'empty' = 'true') as "foundEmpty"
    from import_estimate_repositories s
    join repositories r on r.organization_id = s.organization_id and r.id = s.repository_id
    where s.estimate_id = ${estimateId} order by s.place`);
}

/** Notes what was learned, and the requests that it took. */
export async function noteFacts(
  tx: Transaction,
  input: {
    estimateId: string;
    repositoryId: string;
    requests: number;
    facts: Record<string, unknown>;
    done: boolean;
    finding: Finding | null;
  },
): Promise<void> {
  await tx.execute(sql`
    update import_estimate_repositories set requests = requests + ${input.requests},
      facts = ${JSON.stringify(input.facts)}::jsonb, done = ${input.done}, finding = ${jsonText(input.finding)}::jsonb
    where estimate_id = ${input.estimateId} and repository_id = ${input.repositoryId}`);
}

/** An estimate that ended stays as it is. */
export async function setEstimateState(
  tx: Transaction,
  input: { estimateId: string; state: EstimateState; until: string | null; why: string | null },
): Promise<void> {
  await tx.execute(sql`
    update import_estimates set state = ${input.state},
      waiting_since = case when ${input.until}::timestamptz is null then null
        else coalesce(waiting_since, clock_timestamp()) end,
      waiting_until = ${input.until}::timestamptz, waiting_reason = ${input.why}
    where id = ${input.estimateId} and finished_at is null`);
}

/** Ends an estimate with its answer, or with why there is none. */
export async function endEstimate(
  tx: Transaction,
  input: {
    estimateId: string;
    result: object | null;
    error: Finding | null;
    repositories: readonly { repositoryId: string; result: object }[];
  },
): Promise<void> {
  const rows = await tx.execute(sql`
    update import_estimates set state = ${input.error === null ? 'done' : 'failed'},
      result = ${jsonText(input.result)}::jsonb, error = ${jsonText(input.error)}::jsonb,
      finished_at = clock_timestamp(), waiting_since = null, waiting_until = null, waiting_reason = null
    where id = ${input.estimateId} and finished_at is null returning id`);
  if (rows.length === 0) return;
  await tx.execute(sql`
    update import_estimate_repositories s set result = given.result
    from jsonb_to_recordset(${jsonText(input.repositories)}::jsonb) as given ("repositoryId" uuid, result jsonb)
    where s.estimate_id = ${input.estimateId} and s.repository_id = given."repositoryId"`);
}

/** Imports, of whatever tenant, that ask of this account's allowance at present: their number alone. */
export async function countSharers(tx: Transaction, accountKey: string): Promise<number> {
  const [row] = await tx.execute<{ count: number }>(sql`
    select count(*)::int as count
    from request_limits h
    cross join lateral request_levels(h.account_key, h.limit_group, clock_timestamp(),
      make_interval(secs => h.window_ms / 1000.0)) l
    where h.account_key = ${accountKey} and h.limit_group = 'repository_data'
      and l.has_work and l.consumer <> 'background' and l.consumer not like '%/%'`);
  return row?.count ?? 0;
}

/**
 * Bytes of a repository for each of its commits, in the tenant's repositories that are imported; null: fewer than five
 * are.
 */
export async function readCommitDensity(
  tx: Transaction,
): Promise<{ fewBytes: number; bytes: number; manyBytes: number } | null> {
  const [row] = await tx.execute<{
    count: number;
    fewBytes: number | null;
    bytes: number | null;
    manyBytes: number | null;
  }>(sql`
    with counted as (
      select repository_id, max(records_expected)::float8 as commits from import_streams
      where stream = 'commits' and state = 'healthy' and records_expected > 0
      group by repository_id limit 1000
    ), dense as (
      select r.size_bytes / c.commits as bytes from counted c join repositories r on r.id = c.repository_id
      where r.size_bytes > 0
    )
    select count(*)::int as count, percentile_cont(0.1) within group (order by bytes) as "fewBytes",
      percentile_cont(0.5) within group (order by bytes) as bytes,
      percentile_cont(0.9) within group (order by bytes) as "manyBytes"
    from dense`);
  if (row === undefined || row.count < 5) return null;
  const { fewBytes, bytes, manyBytes } = row;
  return fewBytes === null || bytes === null || manyBytes === null ? null : { fewBytes, bytes, manyBytes };
}
