import { MockActivityEnvironment } from '@temporalio/testing';
import { createImportActivities } from '../../../activities/imports/imports.ts';
import { createPurgeActivities, createRuns } from '../../../activities/removal/purge.ts';
import { createRemovalActivities } from '../../../activities/removal/removal.ts';
import type { useDatabaseBench } from '../../support/databaseBench.ts';
import { fillRepository } from '../../support/importedRows.ts';
import type { TestTenant } from '../../support/integrationRows.ts';
import { actor } from '../../support/workflowBench.ts';

const noRuns = {
  running: async () => [],
  cancel: async () => {},
  terminate: async () => {},
  deleteSchedule: async () => {},
};

export const idsOf = ({ organizationId, integrationId }: TestTenant) => ({ organizationId, integrationId });

/** Integrations that have imported something, and the activities that remove it again. */
export function createPurging(bench: ReturnType<typeof useDatabaseBench>) {
  /** The steps as their workflows take them, in transactions of `rowsATransaction`. */
  function removal({ rowsATransaction = 5_000 } = {}) {
    const createRun = createRuns(bench.database, { rowsATransaction });
    const clones: string[] = [];
    const activities = {
      ...createRemovalActivities({ database: bench.database, runs: noRuns, createRun }),
      ...createPurgeActivities({
        createRun,
        clones: { remove: async (id) => void clones.push(id) },
      }),
    };
    const environment = new MockActivityEnvironment();
    const run = <T>(work: () => Promise<T>) => environment.run<[], T, () => Promise<T>>(work);
    return {
      clones,
      cancel: () => environment.cancel(),
      purge: (of: Parameters<typeof activities.purgeRows>[0]) => run(() => activities.purgeRows(of)),
      begin: (of: TestTenant) => run(() => activities.beginDisconnect({ ...idsOf(of), actor })),
      handOver: (of: TestTenant) => run(() => activities.handOverRepositories(idsOf(of))),
      count: (of: Parameters<typeof activities.countRows>[0]) => run(() => activities.countRows(of)),
      shred: (of: TestTenant) => run(() => activities.shredSecrets(idsOf(of))),
      finish: (of: TestTenant) => run(() => activities.finishDisconnect({ ...idsOf(of), actor })),
      mark: (of: { organizationId: string; repositoryId: string }) =>
        run(() => activities.beginRepositoryRemoval({ ...of, actor })),
      release: (of: { organizationId: string; repositoryId: string }) =>
        run(() => activities.finishRepositoryRemoval({ ...of, actor })),
    };
  }

  /** The repositories that an import brings in are listed, as its run does it first. */
  async function prepare(tenant: TestTenant, importId: string): Promise<void> {
    const imports = createImportActivities({ database: bench.database, isRunning: async () => false });
    await new MockActivityEnvironment().run(() => imports.prepareImport({ ...idsOf(tenant), importId }));
  }

  /** An integration that imported its repositories. */
  async function imported(repositories: number, rows = 3) {
    const tenant = await bench.tenant('active');
    const { organizationId } = tenant;
    const ids = (await tenant.repositories(repositories)).toSorted();
    const importId = await tenant.storeImport({ all: true });
    await prepare(tenant, importId);
    await bench.sql`update repositories set first_imported_at = now(), last_imported_at = now()
      where organization_id = ${organizationId}`;
    for (const repositoryId of ids) await fillRepository(bench.sql, { organizationId, repositoryId }, rows);
    return {
      tenant,
      ids,
      importId,
      stream: { organizationId, repositoryId: ids[0]!, importId, stream: 'tickets' as const },
    };
  }

  const disconnecting = (tenant: TestTenant) =>
    bench.sql`update integrations set state = 'disconnecting' where id = ${tenant.integrationId}`;

  const removalRow = async (subjectId: string) =>
    (
      await bench.sql`select step, rows_total::int as total, rows_removed::int as removed from removals
      where subject_id = ${subjectId}`
    )[0];

  return { removal, prepare, imported, disconnecting, removalRow };
}
