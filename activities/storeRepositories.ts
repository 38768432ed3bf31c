import type { Database } from '../db/client.ts';
import * as queries from '../db/queries/discovery.ts';
import type { ParsedRecords } from './bitbucket/records.ts';
import type { Repository } from './bitbucket/schemas.ts';
import { repositoryRows, uniqueByUuid } from './discoveryRows.ts';

/**
 * Stores repositories as a list shows them, with the workspaces and projects that their records carry, in one
 * transaction. `workspaceUuid`: of the list, where a record names no workspace. Gives how many were stored.
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
  await database.transaction(integration.organizationId, async (tx) => {
    await queries.upsertWorkspaces(tx, integration, owners);
    await queries.linkWorkspaces(
      tx,
      integration,
      owners.map(({ provider_uuid }) => ({ provider_uuid, administrator: null })),
    );
    await queries.upsertProjects(tx, integration, groups);
    await queries.upsertRepositories(tx, integration, rows);
    await queries.linkRepositories(
      tx,
      integration,
      rows.map(({ provider_uuid }) => provider_uuid),
    );
  });
  return rows.length;
}
