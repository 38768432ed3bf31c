import { sql } from 'drizzle-orm';
import type { ImportCommand, ImportState, IntegrationState } from '../../workflows/words.ts';
import type { Transaction } from '../client.ts';

/** What people want of an import, as its row keeps it. Every function runs inside a transaction of the tenant. */

export interface StoredControl {
  state: ImportState;
  byPerson: boolean;
  cancelRequested: boolean;
  integration: IntegrationState | null;
}

/** An import that is gone counts as cancelled. */
export async function selectControl(tx: Transaction, importId: string): Promise<StoredControl> {
  const [row] = await tx.execute<StoredControl & Record<string, unknown>>(sql`
    select i.state, i.paused_by_person_at is not null as "byPerson",
      i.cancel_requested_at is not null as "cancelRequested", n.state as integration
    from imports i join integrations n on n.organization_id = i.organization_id and n.id = i.integration_id
    where i.id = ${importId}`);
  return row ?? { state: 'cancelled', byPerson: false, cancelRequested: false, integration: null };
}

const IS_NEW = {
  pause: sql`paused_by_person_at is null`,
  resume: sql`paused_by_person_at is not null`,
  cancel: sql`cancel_requested_at is null`,
} satisfies Record<ImportCommand, unknown>;

/** `changed`: it was not so before; nothing is noted for an import that has ended. `why`: what a pause is shown as. */
export async function noteCommand(
  tx: Transaction,
  { importId, command, why }: { importId: string; command: ImportCommand; why: string },
): Promise<{ changed: boolean; state: ImportState }> {
  const change = {
    pause: sql`paused_by_person_at = clock_timestamp(), state = 'paused', waiting_since = clock_timestamp(),
      waiting_until = null, waiting_reason = ${why}`,
    resume: sql`paused_by_person_at = null, state = 'running', waiting_since = null, waiting_until = null,
      waiting_reason = null`,
    cancel: sql`cancel_requested_at = clock_timestamp()`,
  }[command];
  const [changed] = await tx.execute<{ state: ImportState }>(sql`
    update imports set ${change}
    where id = ${importId} and finished_at is null and ${IS_NEW[command]} returning state`);
  if (changed !== undefined) return { changed: true, state: changed.state };
  const { state } = await selectControl(tx, importId);
  return { changed: false, state };
}

/** Keeps an import from ending (or from being opened anew) until the transaction ends; `open`: repositories that have not ended. */
export async function lockImport(
  tx: Transaction,
  importId: string,
): Promise<{ state: ImportState; cancelRequested: boolean; open: number }> {
  const [row] = await tx.execute<{ state: ImportState; cancelRequested: boolean }>(sql`
    select state, cancel_requested_at is not null as "cancelRequested" from imports where id = ${importId}
    for no key update`);
  const [open] = await tx.execute<{ n: number }>(sql`
    select count(*)::int as n from import_repositories
    where import_id = ${importId} and state not in ('completed', 'failed', 'cancelled')`);
  return { ...(row ?? { state: 'cancelled', cancelRequested: false }), open: open?.n ?? 0 };
}

const chosen = (repositoryIds: readonly string[] | null) =>
  repositoryIds === null ? sql`true` : sql`repository_id = any (${`{${repositoryIds.join(',')}}`}::uuid[])`;

/**
 * Makes failed repositories pending again, and the import running if it had ended. Answers how many; call behind `lockImport`.
 * Those left failed are counted: the import's row may not know yet of one that failed since its last roll-up.
 */
export async function reopenFailed(
  tx: Transaction,
  { importId, repositoryIds }: { importId: string; repositoryIds: readonly string[] | null },
): Promise<number> {
  const reopened = await tx.execute(sql`
    update import_repositories set state = 'pending', retries = retries + 1, error = null, read_by = null,
      started_at = null, finished_at = null
    where import_id = ${importId} and state = 'failed' and ${chosen(repositoryIds)} returning repository_id`);
  if (reopened.length === 0) return 0;
  await tx.execute(sql`
    update imports set repositories_failed = (
        select count(*) from import_repositories where import_id = ${importId} and state = 'failed'),
      state = case when finished_at is null then state else 'running' end, finished_at = null
    where id = ${importId}`);
  return reopened.length;
}

/** Those that are being tried again and have not ended. */
export async function countRetried(
  tx: Transaction,
  { importId, repositoryIds }: { importId: string; repositoryIds: readonly string[] | null },
): Promise<number> {
  const [row] = await tx.execute<{ n: number }>(sql`
    select count(*)::int as n from import_repositories
    where import_id = ${importId} and retries > 0 and state not in ('completed', 'failed', 'cancelled')
      and ${chosen(repositoryIds)}`);
  return row?.n ?? 0;
}

/** Whether an event of the import was written by this command: it was carried out, and its answer got lost. */
export async function isCarriedOut(
  tx: Transaction,
  { importId, commandId }: { importId: string; commandId: string },
): Promise<boolean> {
  const rows = await tx.execute(sql`
    select from import_events where import_id = ${importId} and type = 'import_retried'
      and data ->> 'command_id' = ${commandId} limit 1`);
  return rows.length > 0;
}
