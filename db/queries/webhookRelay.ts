import { sql } from 'drizzle-orm';
import type { DeliveryOutcome, IntegrationState, Service } from '../../workflows/words.ts';
import type { Transaction } from '../client.ts';

/** What the relay does with deliveries. All but `selectDueDeliveries` run inside a transaction of the tenant. */

export interface DeliveryKey {
  /** the UTC day, `YYYY-MM-DD`: with the id it finds the partition */
  receivedOn: string;
  id: string;
}

/** Deliveries as a table `k (received_on, id, repeats)`. */
const keys = (deliveries: readonly (DeliveryKey & { repeats?: number })[]) =>
  sql`jsonb_to_recordset(${JSON.stringify(
    deliveries.map(({ receivedOn, id, repeats }) => ({ received_on: receivedOn, id, repeats })),
  )}::jsonb) as k (received_on date, id uuid, repeats integer)`;

/** Deliveries that may be taken up, oldest first, whoever's they are (a named look-up: run it without a tenant). */
export async function selectDueDeliveries(
  tx: Transaction,
  atMost: number,
): Promise<(DeliveryKey & { organizationId: string })[]> {
  return tx.execute<DeliveryKey & Record<string, unknown> & { organizationId: string }>(sql`
    select organization_id as "organizationId", received_on::text as "receivedOn", id
    from lookup_due_webhook_deliveries(${atMost})`);
}

export interface ClaimedDelivery extends DeliveryKey, Record<string, unknown> {
  webhookId: string;
  integrationId: string;
  eventKey: string;
  body: Uint8Array;
  /** how often the body had come again when it was claimed */
  repeats: number;
}

/**
 * Claims those of the deliveries that nobody has claimed meanwhile. They are nobody else's for `leaseSeconds`, and are
 * taken up again by anybody where they are not finished then.
 */
export async function claimDeliveries(
  tx: Transaction,
  deliveries: readonly DeliveryKey[],
  leaseSeconds: number,
): Promise<ClaimedDelivery[]> {
  return tx.execute<ClaimedDelivery>(sql`
    with due as (
      select d.organization_id, d.received_on, d.id from webhook_deliveries d
      join ${keys(deliveries)} on d.received_on = k.received_on and d.id = k.id
      where d.due_at <= clock_timestamp()
      for update of d skip locked)
    update webhook_deliveries d set due_at = clock_timestamp() + make_interval(secs => ${leaseSeconds})
    from due where d.organization_id = due.organization_id and d.received_on = due.received_on and d.id = due.id
    returning d.received_on::text as "receivedOn", d.id, d.webhook_id as "webhookId",
      d.integration_id as "integrationId", d.event_key as "eventKey", d.body, d.repeats`);
}

/**
 * Marks claimed deliveries as done. One that came again after it was claimed is due once more, a minute later: the wake
 * may have been before it.
 */
export async function finishDeliveries(
  tx: Transaction,
  deliveries: readonly (DeliveryKey & { repeats: number })[],
  done: { outcome: DeliveryOutcome; reason: string | null },
): Promise<void> {
  await tx.execute(sql`
    update webhook_deliveries d set outcome = ${done.outcome}, reason = ${done.reason}, processed_at = clock_timestamp(),
      due_at = case when d.repeats > k.repeats then clock_timestamp() + interval '1 minute' end
    from ${keys(deliveries)}
    where d.received_on = k.received_on and d.id = k.id and d.due_at is not null`);
}

/** Gives claimed deliveries back: anybody may take them up after `waitSeconds`. */
export async function releaseDeliveries(
  tx: Transaction,
  deliveries: readonly DeliveryKey[],
  waitSeconds: number,
): Promise<void> {
  await tx.execute(sql`
    update webhook_deliveries d set due_at = clock_timestamp() + make_interval(secs => ${waitSeconds})
    from ${keys(deliveries)}
    where d.received_on = k.received_on and d.id = k.id and d.due_at is not null`);
}

/** Notes that these webhooks deliver, once a minute at most. */
export async function noteDelivering(tx: Transaction, webhookIds: readonly string[]): Promise<void> {
  await tx.execute(sql`
    update webhooks set last_delivery_at = clock_timestamp()
    where id = any (${`{${webhookIds.join(',')}}`}::uuid[])
      and (last_delivery_at is null or last_delivery_at < clock_timestamp() - interval '1 minute')`);
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
