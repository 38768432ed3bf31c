import type { Database, Transaction } from '../../db/client.ts';
import * as queries from '../../db/queries/discovery.ts';
import { noteAllMissed } from '../../db/queries/syncs.ts';
import type { ParsedRecords } from '../bitbucket/records.ts';
import type { Repository } from '../bitbucket/schemas.ts';
import { repositoryRows, uniqueByUuid } from './discoveryRows.ts';
import { EngineError } from '../engineError.ts';
import { tellChanges } from '../presence/tellChanges.ts';

/**
 * Stores what an integration found, in one transaction. What one finds that is being removed is nobody's: nothing would ever
 * remove it. Throws `integration_removed` then.
 */
export async function storeFound(
  database: Database,
  integration: queries.Scope,
  work: (tx: Transaction) => Promise<void>,
): Promise<void> {
  await database.transaction(integration.organizationId, async (tx) => {
    if (!(await queries.holdIntegration(tx, integration))) throw integrationRemoved();
    await work(tx);
  });
}

const integrationRemoved = (): EngineError =>
  new EngineError('integration_removed', {
    code: 'integration_removed',
    message: 'The integration is being removed, or is gone.',
    remedy: 'Nothing to do.',
  });

/**
 * Stores repositories as a list shows them, with the workspaces and projects that their records carry, in one
 * transaction, and tells what is new about them. `workspaceUuid`: of the list, where a record names no workspace. Gives how many were stored.
 */
export async function storeRepositories(
  database: Database,
  integration: queries.Scope,
  page: { parsed: ParsedRecords<Repository>; observedAt: string; workspaceUuid: string | null },
): Promise<number> {
  const { parsed, observedAt, workspaceUuid } = page;
  const all = parsed.records.flatMap(
    ({ value, raw }) => repositoryRows(value, raw, observedAt, workspaceUuid) ?? [],
  );
  const owners = uniqueByUuid(all.flatMap((row) => row.workspace ?? []));
  const groups = uniqueByUuid(all.flatMap((row) => row.project ?? []));
  const rows = uniqueByUuid(all.map((row) => row.repository));
  await storeFound(database, integration, async (tx) => {
    await queries.upsertWorkspaces(tx, integration, owners);
    await queries.linkWorkspaces(
      tx,
      integration,
      owners.map(({ provider_uuid }) => ({ provider_uuid, administrator: null })),
    );
    await queries.upsertProjects(tx, integration, groups);
    const changed = await queries.upsertRepositories(tx, integration, rows);
    const seen = await queries.linkRepositories(
      tx,
      integration,
      rows.map(({ provider_uuid }) => provider_uuid),
    );
    await tellChanges(tx, integration, { changed, seen });
    // Poll rounds passed over what changed there meanwhile.
    const back = seen.filter(({ before }) => before !== null && before !== 'present').map(({ id }) => id);
    await noteAllMissed(tx, { ...integration, repositoryIds: back });
  });
  return rows.length;
}
