import { sql } from 'drizzle-orm';
import type { Transaction } from '../client.ts';
import type { Left } from './overdueRows.ts';

/**
 * What a request stored, and what no run has begun for two minutes: the commit came behind the answer, or the api ended
 * between it and the start of the run.
 */

/** Imports that people started (a named look-up: run it without a tenant). */
export async function selectUnbegunImports(tx: Transaction): Promise<Left[]> {
  return tx.execute<Left>(
    sql`select organization_id as "organizationId", id from lookup_imports_left_unbegun()`,
  );
}

/** Retries of quarantined records (a named look-up: run it without a tenant). */
export async function selectUnbegunRetries(tx: Transaction): Promise<Left[]> {
  return tx.execute<Left>(
    sql`select organization_id as "organizationId", id from lookup_retries_left_unbegun()`,
  );
}

export interface UnbegunImport extends Record<string, unknown> {
  integrationId: string;
  apiKeyId: string;
  actingUser: string | null;
}

/** undefined: it has begun or was called off meanwhile, or its integration begins none at present, as a request would be told. */
export async function readUnbegunImport(tx: Transaction, id: string): Promise<UnbegunImport | undefined> {
  const [row] = await tx.execute<UnbegunImport>(sql`
    select i.integration_id as "integrationId", i.started_by_key as "apiKeyId", i.started_by_user as "actingUser"
    from imports i join integrations n on n.organization_id = i.organization_id and n.id = i.integration_id
    where i.id = ${id} and i.state = 'pending' and n.state = 'active'`);
  return row;
}

export interface UnbegunRetry extends Record<string, unknown> {
  integrationId: string;
  name: string | null;
}

/** undefined: it has begun meanwhile, or its integration is being deleted. */
export async function readUnbegunRetry(tx: Transaction, id: string): Promise<UnbegunRetry | undefined> {
  const [row] = await tx.execute<UnbegunRetry>(sql`
    select q.integration_id as "integrationId", n.name
    from quarantine_retries q join integrations n on n.organization_id = q.organization_id and n.id = q.integration_id
    where q.id = ${id} and q.state = 'pending' and n.state <> 'disconnecting'`);
  return row;
}
