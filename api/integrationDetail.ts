import type { z } from '@hono/zod-openapi';
import { countDiscovered } from '../db/queries/api/integrations.ts';
import { readPolling } from '../db/queries/api/polls.ts';
import { readRemoval } from '../db/queries/api/removals.ts';
import { readVanished } from '../db/queries/api/vanished.ts';
import type { ApiEnv } from './dependencies.ts';
import { type integrationDetailSchema, presentIntegrationDetail } from './schemas/integration.ts';
import { integrationWith } from './snapshot.ts';

/** The integration with all that is shown of one; 404 for what is not there. */
export async function readIntegrationDetail(
  variables: Pick<ApiEnv['Variables'], 'dependencies' | 'principal'>,
  id: string,
): Promise<z.infer<typeof integrationDetailSchema>> {
  const { integration, found } = await integrationWith(variables, id, (tx) =>
    Promise.all([countDiscovered(tx, id), readVanished(tx, id), readPolling(tx, id), readRemoval(tx, id)]),
  );
  const [counts, vanished, polling, removal] = found;
  return presentIntegrationDetail(integration, { counts, vanished, polling, removal });
}
