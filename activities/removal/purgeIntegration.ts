import type { Transaction } from '../../db/client.ts';
import type { Owner } from '../../db/queries/removal/deleteRows.ts';
import * as remains from '../../db/queries/removal/remains.ts';
import * as repositories from '../../db/queries/removal/repositories.ts';
import {
  type PurgedTable,
  TABLES_BESIDE_REPOSITORY,
  TABLES_OF_ESTIMATE,
  TABLES_OF_IMPORT,
  TABLES_OF_INTEGRATION,
  TABLES_OF_REPOSITORY,
  TABLES_OF_WEBHOOK,
} from '../../db/queries/removal/tables.ts';
import { readHook } from '../../db/queries/webhookTargets.ts';
import type { OfIntegration } from '../../workflows/contracts/tenant.ts';
import type { CloneFolder } from '../git/cloneFolder.ts';
import { tellHookLeft } from '../webhooks/hookLeft.ts';
import { type Purgeable, type PurgeRun, purgeOwner } from './purgeOwner.ts';

const NAMES_AHEAD = 50;

/**
 * Removes the rows of an integration; false: the run is over, and there is more. Each step finds in the rows what is left:
 *
 *  1. Imports, estimates, and webhooks that nobody could remove at Bitbucket: whoever still writes for one meets that it is gone.
 *  2. The repositories that nobody took over, with their clones on this worker's disk.
 *  3. The integration's own rows, then repositories and workspaces that nobody sees any more, then accounts.
 */
export async function purgeIntegration(
  run: PurgeRun,
  integration: OfIntegration,
  clones: Pick<CloneFolder, 'remove'>,
): Promise<boolean> {
  const { organizationId, integrationId } = integration;
  const inTransaction = <T>(work: (tx: Transaction) => Promise<T>): Promise<T> =>
    run.database.transaction(organizationId, work);

  const ownRows = (
    column: Owner['column'],
    id: string,
    tables: readonly PurgedTable[],
    finish?: Purgeable['finish'],
  ): Promise<boolean> =>
    purgeOwner(run, {
      owner: { column, organizationId, id },
      tables,
      ...(finish === undefined ? {} : { finish }),
    });

  const ofRepository = (
    repositoryId: string,
    tables: readonly PurgedTable[],
    finish?: Purgeable['finish'],
  ): Promise<boolean> =>
    purgeOwner(run, {
      owner: { column: 'repository_id', organizationId, id: repositoryId },
      tables,
      hold: (tx) => repositories.holdOwned(tx, integration, repositoryId),
      ...(finish === undefined ? {} : { finish }),
    });

  /** What is left of it goes with the row of the repository, unless that stays. */
  async function repository(id: string): Promise<boolean> {
    await clones.remove(id);
    if (!(await ofRepository(id, TABLES_OF_REPOSITORY))) return false;
    const isSeen = await inTransaction((tx) => repositories.isSeenByOthers(tx, integration, id));
    return ofRepository(id, isSeen ? [] : TABLES_BESIDE_REPOSITORY, (tx) =>
      repositories.releaseOwned(tx, integration, id),
    );
  }

  async function webhook(tx: Transaction, id: string): Promise<number> {
    const hook = await readHook(tx, id);
    const deleted = await remains.deleteWebhook(tx, id);
    if (hook !== undefined && deleted > 0) await tellHookLeft(tx, integration, hook, 'not_removed');
    return deleted;
  }

  async function each(
    next: (tx: Transaction, of: OfIntegration, limit: number) => Promise<string[]>,
    purge: (id: string) => Promise<boolean>,
  ): Promise<boolean> {
    for (;;) {
      const ids = await inTransaction((tx) => next(tx, integration, NAMES_AHEAD));
      if (ids.length === 0) return true;
      for (const id of ids) if (!(await purge(id))) return false;
    }
  }

  async function repeat(remove: (tx: Transaction) => Promise<number>): Promise<boolean> {
    while (!run.isOver()) if ((await inTransaction(remove)) === 0) return true;
    return false;
  }

  const { rowsATransaction: limit } = run;
  const steps = [
    () =>
      each(remains.nextImports, (id) =>
        ownRows('import_id', id, TABLES_OF_IMPORT, (tx) => remains.deleteImport(tx, id)),
      ),
    () =>
      each(remains.nextEstimates, (id) =>
        ownRows('estimate_id', id, TABLES_OF_ESTIMATE, (tx) => remains.deleteEstimate(tx, id)),
      ),
    () =>
      each(remains.nextWebhooks, (id) =>
        ownRows('webhook_id', id, TABLES_OF_WEBHOOK, (tx) => webhook(tx, id)),
      ),
    () => each(repositories.nextOwned, repository),
    () => ownRows('integration_id', integrationId, TABLES_OF_INTEGRATION),
    () => repeat((tx) => remains.deleteUnseenRepositories(tx, organizationId, NAMES_AHEAD)),
    () => repeat((tx) => remains.deleteUnseenWorkspaces(tx, organizationId)),
    () => repeat((tx) => remains.deleteAccounts(tx, organizationId, limit)),
  ];
  for (const step of steps) if (!(await step())) return false;
  return true;
}
