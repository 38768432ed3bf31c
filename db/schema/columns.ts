import { sql } from 'drizzle-orm';
import { check, customType, text, uuid } from 'drizzle-orm/pg-core';
import type { AnyPgColumn } from 'drizzle-orm/pg-core';

/**
 * A timestamp as text, in and out: a JS Date would drop the microseconds that Bitbucket sends.
 * Postgres keeps six digits; what comes out is Postgres' own text form.
 */
export const instant = customType<{ data: string; driverData: string }>({
  dataType: () => 'timestamptz(6)',
});

export const bytes = customType<{ data: Uint8Array; driverData: Uint8Array }>({ dataType: () => 'bytea' });

const transactionId = customType<{ data: string; driverData: string }>({ dataType: () => 'xid8' });

/** The transaction that wrote a row; rises, and never wraps. */
export const writtenBy = (name: string) => transactionId(name).notNull().default(sql`pg_current_xact_id()`);

/** Every table of a tenant carries its organization: row-level security compares it. */
export const organizationId = () => uuid('organization_id').notNull();

/** A closed list of words: text with a check, so that a word can be added without a type change. */
export const oneOf = (name: string, column: AnyPgColumn, words: readonly string[]) =>
  check(name, sql`${column} in (${sql.raw(words.map((word) => `'${word}'`).join(', '))})`);

export const createdAt = (name = 'created_at') => instant(name).notNull().default(sql`clock_timestamp()`);

/** The repository that a record belongs to. */
export const repositoryId = () => uuid('repository_id').notNull();

/** A word of a closed list, typed. */
export const word = <T extends string>(name: string) => text(name).$type<T>();
