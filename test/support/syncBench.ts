import type postgres from 'postgres';
import { syncRepositoryWorkflowId } from '../../workflows/ids.ts';
import { syncStart, type SyncHint } from '../../workflows/syncStart.ts';
import type { syncRepository } from '../../workflows/syncRepository.ts';
import type { TestTenant } from './integrationRows.ts';
import { waitFor } from './waitFor.ts';
import type { WorkflowBench } from './workflowBench.ts';
import type { WorkflowRun } from './workflows.ts';

/** How a repository stays current, as its row says. */
export interface SyncRow {
  last_sync_id: string | null;
  last_success_at: Date | null;
  failures: number;
  last_error: { code: string } | null;
  next_attempt_at: Date | null;
  missed: string[] | null;
}

/** A repository that was imported to its end. */
export async function importedRepository(bench: WorkflowBench, tenant: TestTenant): Promise<string> {
  const [id = ''] = await tenant.repositories(1);
  await bench.sql`update repositories set integration_id = ${tenant.integrationId},
    first_imported_at = now(), last_imported_at = now() where id = ${id}`;
  return id;
}

/** Says that a repository may have changed, as the api, the relay and the poll round do. */
export const hint = (
  run: WorkflowRun,
  tenant: TestTenant,
  repositoryId: string,
  { services = ['repositories', 'pull_requests'], by = 'webhook', timing = {} }: Partial<SyncHint> = {},
) =>
  run.client.workflow.signalWithStart<typeof syncRepository, [Pick<SyncHint, 'services' | 'by'>]>(
    'syncRepository',
    syncStart(
      {
        organizationId: tenant.organizationId,
        integrationId: tenant.integrationId,
        repositoryId,
        fullName: 'acme/repo-001',
        services,
        by,
        timing: { busyMs: 100, mostBusyMs: 200, ...timing },
      },
      run.taskQueue,
    ),
  );

export const syncRun = (run: WorkflowRun, repositoryId: string) =>
  run.client.workflow.getHandle(syncRepositoryWorkflowId(repositoryId));

export async function syncRow(sql: postgres.Sql, repositoryId: string): Promise<SyncRow | undefined> {
  const [row] = await sql<SyncRow[]>`select * from repository_syncs where repository_id = ${repositoryId}`;
  return row;
}

/** The syncs of a repository that are kept, oldest first. */
export const syncsOf = (sql: postgres.Sql, repositoryId: string) =>
  sql<{ id: string; state: string; services: string[]; outcome: string }[]>`
    select i.id, i.state, i.services, ir.state as outcome
    from imports i join import_repositories ir on ir.import_id = i.id
    where ir.repository_id = ${repositoryId} and i.kind = 'sync' order by i.created_at`;

export const untilSyncRow = (
  sql: postgres.Sql,
  repositoryId: string,
  what: string,
  until: (row: SyncRow | undefined) => boolean,
) => waitFor({ what, read: () => syncRow(sql, repositoryId), until });
