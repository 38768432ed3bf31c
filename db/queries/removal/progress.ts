import { sql, type SQL } from 'drizzle-orm';
import type { RemovalStep } from '../../../workflows/words.ts';
import type { Transaction } from '../../client.ts';

/** What is removed: an integration with all that is its own, or what was imported of one repository. */
export type Removed = { organizationId: string } & (
  | { integrationId: string; repositoryId?: undefined }
  | { repositoryId: string; integrationId?: undefined }
);

const subjectOf = ({ integrationId, repositoryId }: Removed): SQL => sql`${integrationId ?? repositoryId}`;

/** Notes that a removal is under way; false: it was already. A subject that is gone is refused by its foreign key. */
export async function insertRemoval(
  tx: Transaction,
  removed: Removed,
  actor: { apiKeyId: string; actingUser: string | null },
): Promise<boolean> {
  const rows = await tx.execute(sql`
    insert into removals (organization_id, subject_id, integration_id, repository_id, requested_by_key, requested_by_user)
    values (${removed.organizationId}, ${subjectOf(removed)}, ${removed.integrationId ?? null},
      ${removed.repositoryId ?? null}, ${actor.apiKeyId}, ${actor.actingUser})
    on conflict (organization_id, subject_id) do nothing returning 1`);
  return rows.length > 0;
}

/** Says what the removal is at now; with `total`, how many rows there are to remove. */
export async function setRemovalStep(
  tx: Transaction,
  removed: Removed,
  { step, total }: { step: RemovalStep; total?: number },
): Promise<void> {
  await tx.execute(sql`
    update removals set step = ${step}, updated_at = clock_timestamp()
      ${total === undefined ? sql`` : sql`, rows_total = rows_removed + ${total}`}
    where subject_id = ${subjectOf(removed)}`);
}

/** Counts rows as removed, in the transaction that removes them. */
export async function addRemoved(tx: Transaction, removed: Removed, rows: number): Promise<void> {
  if (rows === 0) return;
  await tx.execute(sql`
    update removals set rows_removed = rows_removed + ${rows}, updated_at = clock_timestamp()
    where subject_id = ${subjectOf(removed)}`);
}

/** The removal has ended; false: it had before. */
export async function deleteRemoval(tx: Transaction, removed: Removed): Promise<boolean> {
  const rows = await tx.execute(sql`
    delete from removals where subject_id = ${subjectOf(removed)} returning 1`);
  return rows.length > 0;
}
