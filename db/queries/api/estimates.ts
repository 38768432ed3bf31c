import { sql } from 'drizzle-orm';
import type { EstimateState, Finding, ImportMode } from '../../../workflows/words.ts';
import type { Transaction } from '../../client.ts';
import { importEstimates } from '../../schema/index.ts';
import type { ChosenSelection } from '../../schema/imports.ts';

export interface EstimateRow extends Record<string, unknown> {
  id: string;
  integrationId: string;
  mode: ImportMode;
  state: EstimateState;
  selection: ChosenSelection;
  total: number | null;
  result: Record<string, unknown> | null;
  error: Finding | null;
  waitingSince: string | null;
  waitingUntil: string | null;
  waitingReason: string | null;
  startedByKey: string | null;
  startedByUser: string | null;
  createdAt: string;
  startedAt: string | null;
  finishedAt: string | null;
  /** a day after it was asked for */
  removedAfter: string;
}

export async function readEstimate(tx: Transaction, id: string): Promise<EstimateRow | null> {
  const [row] = await tx.execute<EstimateRow>(sql`
    select e.id, e.integration_id as "integrationId", e.mode, e.state, e.selection, e.repositories_total as total,
      e.result, e.error, e.waiting_since as "waitingSince", e.waiting_until as "waitingUntil",
      e.waiting_reason as "waitingReason", e.started_by_key as "startedByKey", e.started_by_user as "startedByUser",
      e.created_at as "createdAt", e.started_at as "startedAt", e.finished_at as "finishedAt",
      e.created_at + interval '24 hours' as "removedAfter"
    from import_estimates e where e.id = ${id}`);
  return row ?? null;
}

export interface EstimatedRepositoryRow extends Record<string, unknown> {
  repositoryId: string;
  fullName: string;
  weight: number;
  done: boolean;
  requests: number;
  finding: Finding | null;
  result: Record<string, unknown> | null;
}

/** The repositories that were asked about, in order. */
export async function readEstimatedRepositories(
  tx: Transaction,
  estimateId: string,
): Promise<EstimatedRepositoryRow[]> {
  return tx.execute<EstimatedRepositoryRow>(sql`
    select s.repository_id as "repositoryId", r.full_name as "fullName", s.weight, s.done,
      s.requests::float8 as requests, s.finding, s.result
    from import_estimate_repositories s
    join repositories r on r.organization_id = s.organization_id and r.id = s.repository_id
    where s.estimate_id = ${estimateId} order by s.place`);
}

/** False: it is there already. */
export async function insertEstimate(
  tx: Transaction,
  row: {
    id: string;
    organizationId: string;
    integrationId: string;
    mode: ImportMode;
    selection: ChosenSelection;
    startedByKey: string;
    startedByUser: string | null;
  },
): Promise<boolean> {
  // The same request again after a lost answer: its row is there.
  const rows = await tx
    .insert(importEstimates)
    .values(row)
    .onConflictDoNothing({ target: importEstimates.id })
    .returning({ id: importEstimates.id });
  return rows.length > 0;
}

/** Takes back a request whose run never began. */
export async function deletePendingEstimate(tx: Transaction, id: string): Promise<void> {
  await tx.execute(sql`delete from import_estimates where id = ${id} and state = 'pending'`);
}
