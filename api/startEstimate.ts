import { deletePendingEstimate, insertEstimate, readEstimate } from '../db/queries/api/estimates.ts';
import type { IntegrationRow } from '../db/queries/api/integrations.ts';
import type { ChosenSelection } from '../db/schema/imports.ts';
import type { ImportMode } from '../workflows/words.ts';
import type { ApiEnv } from './dependencies.ts';
import { notFound, Problem } from './problem.ts';
import { presentEstimate } from './schemas/estimate.ts';

/**
 * Stores an estimate's row and starts its run. The same id again, after an answer that got lost, finds both there.
 * A run that never began (Temporal is not there) leaves no row.
 */
export async function startEstimate(
  { dependencies, principal }: Pick<ApiEnv['Variables'], 'dependencies' | 'principal'>,
  integration: Pick<IntegrationRow, 'id' | 'name'>,
  wanted: { id: string; mode: ImportMode; selection: ChosenSelection },
): Promise<ReturnType<typeof presentEstimate>> {
  const { database, orchestrator } = dependencies;
  const { organizationId, apiKeyId, actingUser } = principal;
  const { id } = wanted;
  await database.transaction(organizationId, (tx) =>
    insertEstimate(tx, {
      ...wanted,
      organizationId,
      integrationId: integration.id,
      startedByKey: apiKeyId,
      startedByUser: actingUser,
    }),
  );
  try {
    await orchestrator.startEstimate({
      organizationId,
      integrationId: integration.id,
      estimateId: id,
      title: integration.name ?? 'draft',
    });
  } catch (error) {
    // A start that only timed out may have been carried out.
    if (error instanceof Problem && error.code !== 'worker_unavailable') {
      await database.transaction(organizationId, (tx) => deletePendingEstimate(tx, id));
    }
    throw error;
  }
  const row = await database.transaction(organizationId, (tx) => readEstimate(tx, id));
  if (row === null) throw notFound('estimate');
  return presentEstimate(row, []);
}
