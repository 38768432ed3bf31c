import type { AccountRow } from '../../db/queries/accounts.ts';
import { escapeText } from '../../db/text.ts';
import type { Account } from '../bitbucket/schemas.ts';

export const escaped = (text: string | null): string | null => (text === null ? null : escapeText(text));

/** Rows of the accounts that have a uuid; removed accounts come as null or without one (facts 4.4). */
export function accountRows(accounts: readonly (Account | null)[], observedAt: string): AccountRow[] {
  return accounts.flatMap((account) =>
    account === null || account.uuid === null
      ? []
      : [
          {
            provider_uuid: account.uuid,
            kind: escaped(account.type),
            display_name: escaped(account.display_name),
            nickname: escaped(account.nickname),
            account_id: escaped(account.account_id),
            observed_at: observedAt,
          },
        ],
  );
}

/** How much an account row tells: short forms of the same account leave fields out. */
const told = (row: AccountRow): number =>
  [row.kind, row.display_name, row.nickname, row.account_id].filter((field) => field !== null).length;

/** One row an account, the one that tells most: a statement may not meet a key twice (SQLSTATE 21000). */
export function uniqueAccounts(rows: readonly AccountRow[]): AccountRow[] {
  const byUuid = new Map<string, AccountRow>();
  for (const row of rows) {
    const known = byUuid.get(row.provider_uuid);
    if (known === undefined || told(row) > told(known)) byUuid.set(row.provider_uuid, row);
  }
  return [...byUuid.values()];
}
