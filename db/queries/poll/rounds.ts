import { sql } from 'drizzle-orm';
import type { Finding, IntegrationState, Service } from '../../../workflows/words.ts';
import type { Transaction } from '../../client.ts';
import { accountKeyOf } from '../accountKey.ts';
import { kept } from './keptRepositories.ts';
import type { OfIntegration } from './scope.ts';
import { jsonText } from '../jsonText.ts';

/** Rows of poll rounds. Every function runs inside a transaction of the tenant. */

export interface PollPlan extends Record<string, unknown> {
  state: IntegrationState;
  services: Service[];
  /** how many repositories are kept current */
  repositories: number;
  /** since the round before began, by Postgres' clock; null: there was none */
  sinceMs: number | null;
  /** what the last round asks the next one to wait; null: there was none */
  effectiveIntervalMs: number | null;
  /** of the last round; null: there was none */
  requests: number | null;
}

/** What a round needs to know before it begins; `undefined`: the integration is gone. */
export async function readPollPlan(
  tx: Transaction,
  integration: OfIntegration,
): Promise<PollPlan | undefined> {
  const [row] = await tx.execute<PollPlan>(sql`
    select n.state, n.services, p.effective_interval_ms as "effectiveIntervalMs", p.requests,
      (extract(epoch from clock_timestamp() - p.last_started_at) * 1000)::float8 as "sinceMs",
      (select count(*)::int from repositories r where ${kept(integration)}) as repositories
    from integrations n
    left join integration_polls p on p.organization_id = n.organization_id and p.integration_id = n.id
    where n.id = ${integration.integrationId}`);
  return row;
}

/** Where the round of this run of the workflow began; null: none has begun for it. */
export async function readBegunPlace(
  tx: Transaction,
  { integrationId, run }: OfIntegration & { run: string },
): Promise<string | null> {
  const [row] = await tx.execute<{ place: string }>(sql`
    select last_place as place from integration_polls where integration_id = ${integrationId} and last_run = ${run}`);
  return row?.place ?? null;
}

/** A round begins, at `place`. `run`: of the workflow; null: it does not ask again. */
export async function startPoll(
  tx: Transaction,
  { organizationId, integrationId, run, place }: OfIntegration & { run: string | null; place: string },
): Promise<void> {
  await tx.execute(sql`
    insert into integration_polls (organization_id, integration_id, last_started_at, last_run, last_place)
    values (${organizationId}, ${integrationId}, clock_timestamp(), ${run}, ${place})
    on conflict (organization_id, integration_id) do update set last_started_at = excluded.last_started_at,
      last_run = excluded.last_run, last_place = excluded.last_place`);
}

/** A round ended. `found: null`: it did not look. */
export async function endPoll(
  tx: Transaction,
  input: OfIntegration & {
    requests: number;
    found: number | null;
    effectiveIntervalMs: number;
    /** why it has not asked all that a round asks */
    error: Finding | null;
  },
): Promise<void> {
  const error = jsonText(input.error);
  await tx.execute(sql`
    update integration_polls set requests = ${input.requests}, found = coalesce(${input.found}::integer, found),
      effective_interval_ms = ${input.effectiveIntervalMs}, last_error = ${error}::jsonb,
      last_finished_at = case when ${error}::jsonb is null then clock_timestamp() else last_finished_at end
    where integration_id = ${input.integrationId}`);
}

/** The account whose allowance the integration's requests count for; null: it has no credential. */
export async function readAccountKey(
  tx: Transaction,
  { integrationId }: { integrationId: string },
): Promise<string | null> {
  const [row] = await tx.execute<{ key: string | null }>(sql`
    select ${accountKeyOf('c')} as key
    from integrations n
    join credentials c on c.organization_id = n.organization_id and c.id = n.credential_id
    where n.id = ${integrationId}`);
  return row?.key ?? null;
}

/**
 * What the last rounds of the account's other active integrations asked, whoever's they are: a named look-up that tells the
 * sum and nothing else. Those are left out whose rounds have long ceased.
 */
export async function readRequestsOfOthers(
  tx: Transaction,
  { accountKey, integrationId }: { accountKey: string; integrationId: string },
): Promise<number> {
  const [row] = await tx.execute<{ requests: number }>(
    sql`select lookup_poll_requests_of_account(${accountKey}, ${integrationId}) as requests`,
  );
  return row?.requests ?? 0;
}

/** The next round waits for longer than the last one asked it to: the account has more to do meanwhile. */
export async function stretchPolls(
  tx: Transaction,
  { integrationId, effectiveIntervalMs }: { integrationId: string; effectiveIntervalMs: number },
): Promise<void> {
  await tx.execute(sql`
    update integration_polls set effective_interval_ms = ${effectiveIntervalMs}
    where integration_id = ${integrationId}`);
}
