import { sql } from 'drizzle-orm';
import type { Finding, IntegrationState, Service, WebhookUpkeepState } from '../../workflows/words.ts';
import type { Transaction } from '../client.ts';
import { escapeText } from '../text.ts';
import { isoInstant } from './isoInstant.ts';
import { jsonText } from './jsonText.ts';

/** Whether an integration wants webhooks, and how their upkeep stands. */

export interface UpkeepCommand {
  organizationId: string;
  integrationId: string;
  wanted: boolean;
  /** every hook gets a new secret */
  rotate: boolean;
  /** the same command twice is carried out once */
  commandId: string;
}

/** False: this very command was carried out already. */
export async function commandUpkeep(tx: Transaction, command: UpkeepCommand): Promise<boolean> {
  const { organizationId, integrationId, wanted, rotate, commandId } = command;
  const rows = await tx.execute(sql`
    insert into webhook_upkeep as u (organization_id, integration_id, wanted, command_id)
    values (${organizationId}, ${integrationId}, ${wanted}, ${commandId})
    on conflict (organization_id, integration_id) do update set wanted = excluded.wanted,
      generation = u.generation + ${rotate ? 1 : 0}, command_id = excluded.command_id, state = 'pending', error = null,
      updated_at = clock_timestamp()
    where u.command_id <> excluded.command_id
    returning 1`);
  if (rows.length === 0) return false;
  // Who asks again may be repairing: what tells nothing is sent its settings anew, for whoever changed them there may have
  // changed the secret, which is not to be read.
  await tx.execute(sql`
    update webhooks set state = 'pending', updated_at = clock_timestamp()
    where integration_id = ${integrationId} and state = 'active' and missing_since is not null`);
  // Or may have given the account more rights: what was refused is asked anew.
  await tx.execute(sql`
    update webhooks set last_checked_at = null
    where integration_id = ${integrationId} and state = 'not_allowed' and last_checked_at is not null`);
  return true;
}

/** What a round goes by. */
export interface Upkeep extends Record<string, unknown> {
  integrationState: IntegrationState;
  services: Service[];
  wanted: boolean;
  generation: number;
  /** Postgres' clock, ISO */
  now: string;
}

/** Undefined: the integration is gone, or never asked for webhooks. */
export async function readUpkeep(tx: Transaction, integrationId: string): Promise<Upkeep | undefined> {
  const [row] = await tx.execute<Upkeep>(sql`
    select i.state as "integrationState", i.services, u.wanted, u.generation,
      ${isoInstant(sql`clock_timestamp()`)} as now
    from integrations i join webhook_upkeep u on u.organization_id = i.organization_id and u.integration_id = i.id
    where i.id = ${integrationId}`);
  return row;
}

/** Nobody has said a word of it for so long: a run says when it goes on, within the hour. */
const SILENT_FOR = '3 hours';

/** Whether webhooks are wanted, or to be removed, and no run sees to it any more. */
export async function isUpkeepLost(tx: Transaction, integrationId: string): Promise<boolean> {
  const rows = await tx.execute(sql`
    select from webhook_upkeep u
    where u.integration_id = ${integrationId}
      and greatest(u.updated_at, u.next_round_at, u.waiting_until) < clock_timestamp() - ${SILENT_FOR}::interval
      and (u.wanted or exists (select from webhooks w where w.integration_id = u.integration_id))`);
  return rows.length > 0;
}

/** Over `pending` only the begin of a round is written: a round that was under way does not do what is commanded meanwhile. */
export async function setUpkeepState(
  tx: Transaction,
  input: {
    integrationId: string;
    state: WebhookUpkeepState;
    begins: boolean;
    error: Finding | null;
    waiting: { until: string; why: string } | null;
    /** ISO; a round has ended, and the next begins then */
    nextRoundAt: string | null;
    /** the round looked at nothing, so it is none to tell of */
    rested: boolean;
  },
): Promise<void> {
  const { integrationId, state, begins, error, waiting, nextRoundAt, rested } = input;
  const finding = jsonText(error);
  await tx.execute(sql`
    update webhook_upkeep set state = ${state}, error = ${finding}::jsonb,
      waiting_until = ${waiting?.until ?? null}::timestamptz,
      waiting_reason = ${waiting === null ? null : escapeText(waiting.why)},
      last_round_at = case when ${state === 'done' && !rested} then clock_timestamp() else last_round_at end,
      next_round_at = ${nextRoundAt}::timestamptz, updated_at = clock_timestamp()
    where integration_id = ${integrationId} and (${begins} or state <> 'pending')`);
}

/** Asks for the removal of all hooks of an integration; nobody registers any again. */
export async function stopUpkeep(tx: Transaction, integrationId: string): Promise<void> {
  await tx.execute(sql`
    update webhook_upkeep set wanted = false, updated_at = clock_timestamp()
    where integration_id = ${integrationId} and wanted`);
}
