import type { Database } from '../../db/client.ts';
import { selectState } from '../../db/queries/integrations.ts';
import type { OfIntegration } from '../../workflows/contracts/tenant.ts';

/** A pause is promised to hold within seconds, and a chunk of work may last minutes. */
const LOOK_EVERY_MS = 2_000;

/**
 * For the steps of a chunk that began in an active integration, and for requests that wait for the limit meanwhile: whether
 * it still is one, looked up again where the last look was more than two seconds ago. A chunk that finds it is not ends
 * where it stands: the next one knows what follows from that.
 */
export function watchState(
  database: Database,
  { organizationId, integrationId }: OfIntegration,
  lookEveryMs = LOOK_EVERY_MS,
): () => Promise<boolean> {
  let nextMs = performance.now() + lookEveryMs;
  return async () => {
    if (performance.now() < nextMs) return true;
    const state = await database.transaction(organizationId, (tx) => selectState(tx, integrationId));
    nextMs = performance.now() + lookEveryMs;
    return state === 'active';
  };
}
