import { sql, type SQL } from 'drizzle-orm';
import type { Transaction } from '../../client.ts';
import type { Removed } from './progress.ts';
import {
  type PurgedTable,
  TABLES_OF_ESTIMATE,
  TABLES_OF_IMPORT,
  TABLES_OF_INTEGRATION,
  TABLES_OF_REPOSITORY,
  TABLES_OF_WEBHOOK,
} from './tables.ts';

/** One statement a table, so that whoever counts can say between them that it lives. */
export type Count = (tx: Transaction) => Promise<number>;

/** What has to be counted to know how many rows a removal takes away. */
export function countsOf(removed: Removed): Count[] {
  const { organizationId, integrationId, repositoryId } = removed;
  if (repositoryId !== undefined) {
    return countsIn(TABLES_OF_REPOSITORY, organizationId, sql`repository_id = ${repositoryId}::uuid`);
  }
  const idsIn = (table: 'repositories' | 'imports' | 'import_estimates' | 'webhooks'): SQL =>
    sql`any (array(select id from ${sql.raw(table)}
      where organization_id = ${organizationId}::uuid and integration_id = ${integrationId}::uuid))`;
  return [
    // What names both is counted once.
    ...countsIn(
      TABLES_OF_REPOSITORY.filter(({ name }) => !TABLES_OF_INTEGRATION.some((table) => table.name === name)),
      organizationId,
      sql`repository_id = ${idsIn('repositories')}`,
    ),
    ...countsIn(TABLES_OF_IMPORT, organizationId, sql`import_id = ${idsIn('imports')}`),
    ...countsIn(TABLES_OF_ESTIMATE, organizationId, sql`estimate_id = ${idsIn('import_estimates')}`),
    ...countsIn(TABLES_OF_WEBHOOK, organizationId, sql`webhook_id = ${idsIn('webhooks')}`),
    ...countsIn(TABLES_OF_INTEGRATION, organizationId, sql`integration_id = ${integrationId}::uuid`),
  ];
}

const countsIn = (tables: readonly PurgedTable[], organizationId: string, owned: SQL): Count[] =>
  tables.map(({ name }) => async (tx) => {
    const [row] = await tx.execute<{ rows: number }>(sql`
      select count(*)::float8 as rows from ${sql.raw(name)}
      where organization_id = ${organizationId}::uuid and ${owned}`);
    return row?.rows ?? 0;
  });
