import type postgres from 'postgres';
import * as messages from '../../workflows/messages.ts';
import type { Service } from '../../workflows/words.ts';
import type { TestTenant } from './integrationRows.ts';
import { actor, type BenchRun, command } from './workflowBench.ts';

/** Services that are switched, and what imports have of their streams. */

export const changeServices = (run: BenchRun, tenant: TestTenant, services: Service[]) =>
  command(run, tenant, messages.changeServices, { services, actor });

export async function begunImport(run: BenchRun, tenant: TestTenant): Promise<string> {
  const importId = await tenant.storeImport({ all: true });
  await command(run, tenant, messages.startImport, { importId, mode: 'changed', actor });
  return importId;
}

/** The states of an import's streams by their names. */
export async function streamsOf(sql: postgres.Sql, importId: string): Promise<Record<string, string>> {
  const rows = await sql<{ stream: string; state: string }[]>`
    select stream, state from import_streams where import_id = ${importId} order by stream`;
  return Object.fromEntries(rows.map(({ stream, state }) => [stream, state]));
}

/** Imports by which services caught up, oldest first. */
export const catchUpsOf = (sql: postgres.Sql, { integrationId }: TestTenant) =>
  sql<{ id: string; services: string[]; state: string; mode: string; started_by_user: string }[]>`
    select id, services, state, mode, started_by_user from imports
    where integration_id = ${integrationId} and selection ? 'imported_by' order by created_at`;
