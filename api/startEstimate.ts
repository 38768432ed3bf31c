import { deletePendingEstimate, insertEstimate, readEstimate } from '../db/queries/api/estimates.ts';
import type { IntegrationRow } from '../db/queries/api/integrations.ts';
import type { ChosenSelection } from '../db/schema/imports.ts';
import type { ImportMode } from '../workflows/words.ts';
import type { ApiEnv } from './dependencies.ts';
import { notFound } from './problem.ts';
import { presentEstimate } from './schemas/estimate.ts';
import { neverBegan } from './temporalProblems.ts';

/**
 * Stores an estimate's row and starts its run. The same id again, after an answer that got lost, finds both there.
 * A run that never began (Temporal is not there) leaves no row; one that was there before stays, since it may have a run.
 */
export async function startEstimate(
  { dependencies, principal }: Pick<ApiEnv['Variables'], 'dependencies' | 'principal'>,
  integration: Pick<IntegrationRow, 'id' | 'name'>,
  wanted: { id: string; mode: ImportMode; selection: ChosenSelection },
): Promise<ReturnType<typeof presentEstimate>> {
  const { database, orchestrator } = dependencies;
  const { organizationId, apiKeyId, actingUser } = principal;
  const { id } = wanted;
  const { isNew, stored } = await database.transaction(organizationId, async (tx) => ({
    isNew: await insertEstimate(tx, {
      ...wanted,
      organizationId,
      integrationId: integration.id,
      startedByKey: apiKeyId,
      startedByUser: actingUser,
    }),
    stored: await readEstimate(tx, id),
  }));
  // Another run of one that has its answer would ask again, for nothing.
  if (stored !== null && stored.finishedAt !== null) return presentEstimate(stored, []);
  try {
    await orchestrator.startEstimate({
      organizationId,
      integrationId: integration.id,
      estimateId: id,
      title: integration.name ?? 'draft',
    });
  } catch (error) {
    if (isNew && neverBegan(error)) {
      await database.transaction(organizationId, (tx) => deletePendingEstimate(tx, id));
    }
    throw error;
  }
  const row = await database.transaction(organizationId, (tx) => readEstimate(tx, id));
  if (row === null) throw notFound('estimate');
  return presentEstimate(row, []);
}
