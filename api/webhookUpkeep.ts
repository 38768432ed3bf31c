import { countTargets, readUpkeepRow } from '../db/queries/api/webhookCoverage.ts';
import type { ApiEnv } from './dependencies.ts';
import { presentUpkeep } from './schemas/webhooks.ts';

type Variables = Pick<ApiEnv['Variables'], 'dependencies' | 'principal'>;

/** How the upkeep of an integration's webhooks stands now, as every command about them answers it. */
export const readUpkeep = ({ dependencies, principal }: Variables, integrationId: string) =>
  dependencies.database.transaction(principal.organizationId, async (tx) =>
    presentUpkeep(await readUpkeepRow(tx, integrationId), await countTargets(tx, integrationId)),
  );
