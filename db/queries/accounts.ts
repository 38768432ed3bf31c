import { sql } from 'drizzle-orm';
import type { Transaction } from '../client.ts';
import { bind, rowsParameter, upsertParts, type Row } from './upsert.ts';

export interface AccountRow extends Row {
  provider_uuid: string;
  kind: string | null;
  display_name: string | null;
  nickname: string | null;
  account_id: string | null;
  observed_at: string;
}

const { input, write } = upsertParts(
  {
    name: 'accounts',
    key: { provider_uuid: 'text' },
    content: { kind: 'text', display_name: 'text', nickname: 'text', account_id: 'text' },
    newer: ['observed_at'],
  },
  ['organization_id'],
);
const text = `with input as materialized (${input}), written as (${write})
  select count(*)::int as written from written`;

/** Accounts as last seen; a newer look wins, an unchanged account writes nothing. One row an account in `rows`. */
export async function upsertAccounts(
  tx: Transaction,
  organizationId: string,
  rows: readonly AccountRow[],
): Promise<void> {
  if (rows.length === 0) return;
  await tx.execute(bind(text, { rows: rowsParameter(rows), organization_id: sql`${organizationId}::uuid` }));
}
