import * as repositories from '../../db/queries/removal/repositories.ts';
import { TABLES_OF_REPOSITORY } from '../../db/queries/removal/tables.ts';
import type { OfIntegration } from '../../workflows/contracts/tenant.ts';
import { type PurgeRun, purgeOwner } from './purgeOwner.ts';
import { chooseTaker } from './taker.ts';

const REPOSITORIES_A_PAGE = 200;

/**
 * Hands the repositories of an integration over that another one sees and brings in; false: the run is over, and there are
 * more. Their rows stay, except for those of services that the other one does not have: those go first, so that nobody
 * gets what nobody keeps current.
 */
export async function handOver(run: PurgeRun, integration: OfIntegration): Promise<boolean> {
  const { organizationId } = integration;
  let after: string | null = null;
  for (;;) {
    const owned: repositories.OwnedRepository[] = await run.database.transaction(organizationId, (tx) =>
      repositories.selectOwned(tx, integration, { after, limit: REPOSITORIES_A_PAGE }),
    );
    for (const repository of owned) {
      const taker = chooseTaker(repository);
      if (taker === undefined) continue;
      const { repositoryId } = repository;
      const isDone = await purgeOwner(run, {
        owner: { column: 'repository_id', organizationId, id: repositoryId, services: taker.uncovered },
        tables: TABLES_OF_REPOSITORY,
        hold: (tx) => repositories.holdOwned(tx, integration, repositoryId),
        finish: async (tx) => {
          await repositories.handOver(tx, integration, { repositoryId, to: taker.integrationId });
          return 0;
        },
      });
      if (!isDone) return false;
    }
    after = owned.at(-1)?.repositoryId ?? null;
    if (after === null) return true;
  }
}
