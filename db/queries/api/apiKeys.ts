import { sql } from 'drizzle-orm';
import type { Database, Transaction } from '../../client.ts';
import type { Role } from '../../schema/tenancy.ts';

export interface FoundApiKey {
  organizationId: string;
  id: string;
  hash: Uint8Array;
  role: Role;
  /** expired or revoked, by Postgres' clock */
  ended: boolean;
}

/** Whose key has this public prefix. The look-up function gives ids only: the row is read as its own tenant's. */
export async function findApiKey(
  database: Database,
  prefix: string,
): Promise<{ organizationId: string; id: string } | null> {
  const [ids] = await database.withoutTenant((tx) =>
    tx.execute<{ organization_id: string; id: string }>(sql`select * from lookup_api_key(${prefix})`),
  );
  return ids === undefined ? null : { organizationId: ids.organization_id, id: ids.id };
}

/** Whether a key is there, neither expired nor revoked. */
export async function holdsApiKey(tx: Transaction, id: string): Promise<boolean> {
  const rows = await tx.execute(sql`
    select from api_keys where id = ${id} and revoked_at is null
      and coalesce(expires_at > clock_timestamp(), true)`);
  return rows.length > 0;
}

export async function readApiKey(
  database: Database,
  { organizationId, id }: { organizationId: string; id: string },
): Promise<FoundApiKey | null> {
  const [row] = await database.read(organizationId, (tx) =>
    tx.execute<{ hash: Uint8Array; role: Role; ended: boolean }>(sql`
      select hash, role, revoked_at is not null or coalesce(expires_at <= clock_timestamp(), false) as ended
      from api_keys where id = ${id}`),
  );
  return row === undefined ? null : { organizationId, id, ...row };
}
