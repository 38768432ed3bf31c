import { sql } from 'drizzle-orm';
import type { Database } from '../../client.ts';
import type { Role } from '../../schema/tenancy.ts';

export interface FoundApiKey {
  organizationId: string;
  id: string;
  hash: Uint8Array;
  role: Role;
  /** expired or revoked, by Postgres' clock */
  ended: boolean;
}

/**
 * The key with this public prefix. Two steps: the look-up function gives ids only, the row is then read as its own
 * tenant, like any other.
 */
export async function findApiKey(database: Database, prefix: string): Promise<FoundApiKey | null> {
  const [ids] = await database.withoutTenant((tx) =>
    tx.execute<{ organization_id: string; id: string }>(sql`select * from lookup_api_key(${prefix})`),
  );
  if (ids === undefined) return null;
  const [row] = await database.transaction(ids.organization_id, (tx) =>
    tx.execute<{ hash: Uint8Array; role: Role; ended: boolean }>(sql`
      select hash, role, revoked_at is not null or coalesce(expires_at <= clock_timestamp(), false) as ended
      from api_keys where id = ${ids.id}`),
  );
  return row === undefined ? null : { organizationId: ids.organization_id, id: ids.id, ...row };
}
