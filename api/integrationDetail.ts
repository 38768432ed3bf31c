import type { z } from '@hono/zod-openapi';
import { countDiscovered } from '../db/queries/api/integrations.ts';
import { readPolling } from '../db/queries/api/polls.ts';
import { readRemoval } from '../db/queries/api/removals.ts';
import { readVanished } from '../db/queries/api/vanished.ts';
import type { ApiEnv } from './dependencies.ts';
import { type integrationDetailSchema, presentIntegrationDetail } from './schemas/integration.ts';
import { integrationOrNotFound } from './snapshot.ts';

/** The integration with all that is shown of one; 404 for what is not there. */
export async function readIntegrationDetail(
  variables: Pick<ApiEnv['Variables'], 'dependencies' | 'principal'>,
  id: string,
): Promise<z.infer<typeof integrationDetailSchema>> {
  const row = await integrationOrNotFound(variables, id);
  const { dependencies, principal } = variables;
  const [counts, vanished, polling, removal] = await dependencies.database.read(
    principal.organizationId,
    (tx) =>
      Promise.all([
        countDiscovered(tx, row.id),
        readVanished(tx, row.id),
        readPolling(tx, row.id),
        readRemoval(tx, row.id),
      ]),
  );
  return presentIntegrationDetail(row, { counts, vanished, polling, removal });
}
