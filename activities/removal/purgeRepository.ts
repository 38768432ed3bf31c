import { holdRemoved } from '../../db/queries/removal/repositories.ts';
import { TABLES_OF_REPOSITORY } from '../../db/queries/removal/tables.ts';
import type { CloneFolder } from '../git/cloneFolder.ts';
import { type PurgeRun, purgeOwner } from './purgeOwner.ts';

/**
 * Removes what was imported of one repository, and its clone on this worker's disk; false: the run is over, and there is
 * more. The repository stays discovered, and imports keep what they say of it.
 */
export async function purgeRepository(
  run: PurgeRun,
  { organizationId, repositoryId }: { organizationId: string; repositoryId: string },
  clones: Pick<CloneFolder, 'remove'>,
): Promise<boolean> {
  await clones.remove(repositoryId);
  return purgeOwner(run, {
    owner: { column: 'repository_id', organizationId, id: repositoryId },
    tables: TABLES_OF_REPOSITORY,
    hold: (tx) => holdRemoved(tx, repositoryId),
  });
}
