import { sql } from 'drizzle-orm';
import type { Transaction } from '../../client.ts';
import type { OfIntegration } from './scope.ts';

/** The next active integrations behind `after`, whoever's, by id (a named look-up: run it without a tenant). */
export async function selectActiveIntegrations(
  tx: Transaction,
  { after, limit }: { after: string | null; limit: number },
): Promise<OfIntegration[]> {
  return tx.execute<OfIntegration & Record<string, unknown>>(sql`
    select organization_id as "organizationId", id as "integrationId"
    from lookup_active_integrations(${after}, ${limit})`);
}
