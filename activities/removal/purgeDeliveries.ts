import * as remains from '../../db/queries/removal/remains.ts';
import { TABLES_OF_WEBHOOK } from '../../db/queries/removal/tables.ts';
import type { OfIntegration } from '../../workflows/contracts/tenant.ts';
import { type PurgeRun, purgeOwner } from './purgeOwner.ts';

/** A workspace has one; of repositories there may be thousands, each with a handful of deliveries. */
const WEBHOOKS_AT_MOST = 100_000;

/**
 * Removes what webhooks delivered, of an integration or of one of its repositories; false: the run is over, and there is
 * more. What comes meanwhile goes with the hook's row.
 */
export async function purgeDeliveries(
  run: PurgeRun,
  integration: OfIntegration & { repositoryId?: string },
): Promise<boolean> {
  const { organizationId } = integration;
  const ids = await run.database.transaction(organizationId, (tx) =>
    remains.nextWebhooks(tx, integration, WEBHOOKS_AT_MOST),
  );
  for (const id of ids) {
    const owner = { column: 'webhook_id' as const, organizationId, id };
    if (!(await purgeOwner(run, { owner, tables: TABLES_OF_WEBHOOK }))) return false;
  }
  return true;
}
