import { sql } from 'drizzle-orm';
import type { Transaction } from '../client.ts';

/** Ids of secrets whose time is over, whoever's they are (a named look-up: run it without a tenant). */
export async function selectOverdueSecrets(
  tx: Transaction,
): Promise<{ organizationId: string; id: string }[]> {
  return tx.execute<{ organizationId: string; id: string }>(
    sql`select organization_id as "organizationId", id from lookup_secrets_to_discard()`,
  );
}

/** Shreds one, as its tenant, unless it was adopted or shredded meanwhile. */
export async function shredOverdueSecret(tx: Transaction, id: string): Promise<boolean> {
  const rows = await tx.execute(sql`
    update credentials set state = 'shredded', sealed = null, discard_after = null
    where id = ${id} and discard_after < clock_timestamp() and state = 'candidate'
    returning id`);
  return rows.length > 0;
}

/** A row of some organization. */
export interface Left extends Record<string, unknown> {
  organizationId: string;
  id: string;
}

/** Checks without an end for half an hour: a secret waits for half of that (a named look-up: run it without a tenant). */
export async function selectChecksLeftRunning(tx: Transaction): Promise<Left[]> {
  return tx.execute<Left>(
    sql`select organization_id as "organizationId", id from lookup_checks_left_running()`,
  );
}

/**
 * Drafts that expired an hour ago and are there still: the run that would have removed them never began, or was lost (a
 * named look-up: run it without a tenant).
 */
export async function selectDraftsLeftBehind(tx: Transaction): Promise<Left[]> {
  return tx.execute<Left>(
    sql`select organization_id as "organizationId", id from lookup_drafts_left_behind()`,
  );
}

/** Organizations that have OAuth flows or kept answers whose time is over (a named look-up: run it without a tenant). */
export async function selectOrganizationsToSweep(tx: Transaction): Promise<string[]> {
  const rows = await tx.execute<{ organizationId: string }>(
    sql`select organization_id as "organizationId" from lookup_organizations_to_sweep()`,
  );
  return rows.map(({ organizationId }) => organizationId);
}

/**
 * Removes the tenant's OAuth flows that ended or were left, with code and verifier. An hour behind their end, so that
 * an exchange begun in time can still say, after a lost answer, that it got through.
 */
export async function deleteOverdueFlows(tx: Transaction): Promise<number> {
  const rows = await tx.execute(
    sql`delete from oauth_flows where expires_at < clock_timestamp() - interval '1 hour' returning 1`,
  );
  return rows.length;
}

/** Removes the tenant's answers to requests with an `Idempotency-Key` that were kept for their 24 hours. */
export async function deleteOverdueAnswers(tx: Transaction): Promise<number> {
  const rows = await tx.execute(
    sql`delete from idempotency_keys where created_at < clock_timestamp() - interval '24 hours' returning 1`,
  );
  return rows.length;
}

/** Organizations that have estimates of more than a day ago (a named look-up: run it without a tenant). */
export async function selectOrganizationsWithOldEstimates(tx: Transaction): Promise<string[]> {
  const rows = await tx.execute<{ organizationId: string }>(
    sql`select organization_id as "organizationId" from lookup_organizations_with_old_estimates()`,
  );
  return rows.map(({ organizationId }) => organizationId);
}

/** Removes the tenant's estimates of more than a day ago: what they say of the allowance has long changed. */
export async function deleteOldEstimates(tx: Transaction): Promise<number> {
  const rows = await tx.execute(
    sql`delete from import_estimates where created_at < clock_timestamp() - interval '24 hours' returning 1`,
  );
  return rows.length;
}

/**
 * Makes the partitions of webhook deliveries for the days to come, and drops those of more than a week ago (a function of
 * the tables' owner: run it without a tenant). How many were dropped.
 */
export async function keepDeliveryDays(tx: Transaction): Promise<number> {
  const [row] = await tx.execute<{ dropped: number }>(sql`select dropped from keep_webhook_delivery_days()`);
  return row?.dropped ?? 0;
}
