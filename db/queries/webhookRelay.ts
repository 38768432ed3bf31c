import { sql } from 'drizzle-orm';
import type { DeliveryOutcome, IntegrationState, Service, WebhookScope } from '../../workflows/words.ts';
import type { Transaction } from '../client.ts';

/** What the relay does with deliveries. All but `selectDueDeliveries` run inside a transaction of the tenant. */

export interface DeliveryKey {
  webhookId: string;
  /** the UTC day, `YYYY-MM-DD`: with it the partition is known */
  receivedOn: string;
  id: string;
}

/** Deliveries that may be taken up, oldest first, whoever's they are (a named look-up: run it without a tenant). */
export async function selectDueDeliveries(
  tx: Transaction,
  atMost: number,
): Promise<(DeliveryKey & { organizationId: string })[]> {
  return tx.execute<DeliveryKey & Record<string, unknown> & { organizationId: string }>(sql`
    select organization_id as "organizationId", webhook_id as "webhookId", received_on::text as "receivedOn", id
    from lookup_due_webhook_deliveries(${atMost})`);
}

export interface ClaimedDelivery extends DeliveryKey, Record<string, unknown> {
  integrationId: string;
  eventKey: string;
  repositoryUuid: string | null;
  pullRequestState: string | null;
  pullRequestNumber: number | null;
  /** how often the body had come again when it was claimed */
  repeats: number;
  /** it came behind the moment since which its webhook is known to miss deliveries */
  endsMissing: boolean;
}

/**
 * Locks those of the deliveries that are still due and that nobody else has locked, until the transaction ends: by then
 * `settleDeliveries` must have said what becomes of them.
 */
export async function claimDeliveries(
  tx: Transaction,
  deliveries: readonly DeliveryKey[],
): Promise<ClaimedDelivery[]> {
  const keys = deliveries.map(({ webhookId, receivedOn, id }) => ({
    webhook_id: webhookId,
    received_on: receivedOn,
    id,
  }));
  return tx.execute<ClaimedDelivery>(sql`
    select d.webhook_id as "webhookId", d.received_on::text as "receivedOn", d.id,
      d.integration_id as "integrationId", d.event_key as "eventKey", d.repository_uuid as "repositoryUuid",
      d.pull_request_state as "pullRequestState", d.pull_request_number as "pullRequestNumber", d.repeats,
      coalesce(greatest(d.received_at, d.repeated_at) > h.missing_since, false) as "endsMissing"
    from jsonb_to_recordset(${JSON.stringify(keys)}::jsonb) as k (webhook_id uuid, received_on date, id uuid)
    join webhook_deliveries d
      on d.webhook_id = k.webhook_id and d.received_on = k.received_on and d.id = k.id
    join webhooks h on h.organization_id = d.organization_id and h.id = d.webhook_id
    where d.due_at <= clock_timestamp()
    for update of d skip locked`);
}

/** What becomes of a claimed delivery. */
export interface Settled extends DeliveryKey {
  /** how often the body had come again when it was claimed */
  repeats: number;
  /** null: it is not done, and due again after a while */
  outcome: DeliveryOutcome | null;
  /** why it was ignored */
  reason: string | null;
}

/**
 * Writes what becomes of deliveries: they are done, or are to be taken up again after `againSeconds`, by whoever comes
 * first. One that came again after it was claimed is due once more, a minute later: the wake may have been before it.
 */
export async function settleDeliveries(
  tx: Transaction,
  settled: readonly Settled[],
  againSeconds = 0,
): Promise<void> {
  const rows = settled.map(({ webhookId, receivedOn, id, repeats, outcome, reason }) => ({
    webhook_id: webhookId,
    received_on: receivedOn,
    id,
    repeats,
    outcome,
    reason,
  }));
  await tx.execute(sql`
    update webhook_deliveries d set outcome = k.outcome, reason = k.reason,
      processed_at = case when k.outcome is not null then clock_timestamp() else d.processed_at end,
      due_at = case when k.outcome is null then clock_timestamp() + make_interval(secs => ${againSeconds})
        when d.repeats > k.repeats then clock_timestamp() + interval '1 minute' end
    from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb)
      as k (webhook_id uuid, received_on date, id uuid, repeats integer, outcome text, reason text)
    where d.webhook_id = k.webhook_id and d.received_on = k.received_on and d.id = k.id and d.due_at is not null`);
}

/** Notes that these webhooks deliver, once a minute at most. */
export async function noteDelivering(tx: Transaction, webhookIds: readonly string[]): Promise<void> {
  await tx.execute(sql`
    update webhooks set last_delivery_at = clock_timestamp()
    where id = any (${`{${webhookIds.join(',')}}`}::uuid[])
      and (last_delivery_at is null or last_delivery_at < clock_timestamp() - interval '1 minute')`);
}

/** A webhook whose deliveries were missing. */
export interface HeardHook extends Record<string, unknown> {
  integrationId: string;
  scope: WebhookScope;
  /** `workspace` or `workspace/repository` */
  name: string;
}

/** These webhooks deliver again: no deliveries of theirs are missing any more. Answers those of which some were. */
export async function endMissing(tx: Transaction, webhookIds: readonly string[]): Promise<HeardHook[]> {
  if (webhookIds.length === 0) return [];
  return tx.execute<HeardHook>(sql`
    update webhooks w set missing_since = null, missing_changes = 0, missing_changed_at = null
    from webhooks h
    join workspaces s on s.organization_id = h.organization_id and s.id = h.workspace_id
    left join repositories r on r.organization_id = h.organization_id and r.id = h.repository_id
    where w.id = any (${`{${webhookIds.join(',')}}`}::uuid[]) and w.missing_since is not null
      and h.organization_id = w.organization_id and h.id = w.id
    returning w.integration_id as "integrationId", w.scope, coalesce(r.full_name, s.slug) as name`);
}

export interface RelaySubject extends Record<string, unknown> {
  integrationId: string;
  /** of the integration that the webhook belongs to */
  state: IntegrationState;
  services: Service[];
}

export async function readRelaySubjects(
  tx: Transaction,
  integrationIds: readonly string[],
): Promise<RelaySubject[]> {
  return tx.execute<RelaySubject>(sql`
    select id as "integrationId", state, services from integrations
    where id = any (${`{${integrationIds.join(',')}}`}::uuid[])`);
}

export interface RelayedRepository extends Record<string, unknown> {
  id: string;
  providerUuid: string;
  fullName: string;
  /** the one whose credential fetches it; null: none has begun to */
  integrationId: string | null;
  /** it has been imported, or is being imported for the first time */
  imported: boolean;
}

/** The repositories with these uuids of Bitbucket's, as far as they were discovered. */
export async function readRelayedRepositories(
  tx: Transaction,
  providerUuids: readonly string[],
): Promise<RelayedRepository[]> {
  return tx.execute<RelayedRepository>(sql`
    select r.id, r.provider_uuid as "providerUuid", r.full_name as "fullName", r.integration_id as "integrationId",
      r.first_imported_at is not null or exists (
        select 1 from import_repositories ir
        where ir.organization_id = r.organization_id and ir.repository_id = r.id
          and ir.state not in ('completed', 'failed', 'cancelled')) as imported
    from repositories r
    where r.provider_uuid in (select jsonb_array_elements_text(${JSON.stringify(providerUuids)}::jsonb))`);
}

export interface WakeKey extends Record<string, unknown> {
  integrationId: string;
  /** null: the discovery of the integration */
  repositoryId: string | null;
}

/**
 * Takes the right to wake each of the targets, which is given once in `everyMs`, whichever worker asks. Answers those that
 * may be woken now; not among them is also what is gone.
 */
export async function takeWakes(
  tx: Transaction,
  targets: readonly WakeKey[],
  everyMs: number,
): Promise<WakeKey[]> {
  const rows = targets.map(({ integrationId, repositoryId }) => ({
    integration_id: integrationId,
    repository_id: repositoryId,
  }));
  return tx.execute<WakeKey>(sql`
    insert into webhook_wakes as w (organization_id, integration_id, repository_id, woken_at)
    select n.organization_id, n.id, t.repository_id, clock_timestamp()
    from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) as t (integration_id uuid, repository_id uuid)
    join integrations n on n.id = t.integration_id
    where t.repository_id is null or exists (select 1 from repositories r where r.id = t.repository_id)
    order by n.id, t.repository_id
    on conflict (organization_id, integration_id, repository_id) do update set woken_at = excluded.woken_at
    where w.woken_at <= excluded.woken_at - make_interval(secs => ${everyMs}::float8 / 1000)
    returning integration_id as "integrationId", repository_id as "repositoryId"`);
}
