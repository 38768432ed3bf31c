import { type SQL, sql } from 'drizzle-orm';

/**
 * By which requests with a credential are counted: its account, or itself where the account is not known (before its first
 * check, and for ever of an access token). `alias`: what the statement calls the table `credentials`.
 */
export const accountKeyOf = (alias: string): SQL => {
  const [key, id] = [sql.raw(`${alias}.account_key`), sql.raw(`${alias}.id`)];
  return sql`coalesce(${key}, 'credential:' || ${id}::text)`;
};
