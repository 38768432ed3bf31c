import { sql, type SQL } from 'drizzle-orm';
import type { Transaction } from '../client.ts';

/** A table that one statement fills from a list of records. All names come from our own code, never from outside. */
export interface UpsertTable {
  name: string;
  /** the columns of the primary key behind `scope`, in order, with their SQL types */
  key: Record<string, string>;
  /** the columns that hold what the source says, with their SQL types */
  content: Record<string, string>;
  /** columns that tell which of two versions is newer, most significant first; `observed_at` is always the last */
  newer: readonly ['updated_on', 'observed_at'] | readonly ['observed_at'];
}

export interface RepositoryScope {
  organizationId: string;
  repositoryId: string;
}

/** A record's columns by name. Text must be escaped already (`db/text.ts`). */
export type Row = Record<string, unknown>;

const list = (names: readonly string[], prefix = ''): string =>
  names.map((name) => `${prefix}${name}`).join(', ');

const typed = (columns: Record<string, string>): string =>
  Object.entries(columns)
    .map(([name, type]) => `${name} ${type}`)
    .join(', ');

/**
 * The common table expressions of an upsert: `written` returns the keys of the rows that were inserted or changed.
 *
 * An incoming row writes when it is newer AND says something else. Newer compares `(updated_on, observed_at)`: equal
 * `updated_on` with a later observation wins, since participants change without it; older data never wins.
 * `observed_at` alone is no difference, so an unchanged record costs no row version. The price: the stored
 * `observed_at` is when this content was first seen, not last. Only an A-B-A change under one `updated_on` whose
 * observations are written out of order could so let B win, and the epochs of the checkpoints keep the order.
 *
 * The join before the insert leaves unchanged rows unlocked (`on conflict do update … where` locks them even where it
 * writes nothing); the guard is repeated for rows that another transaction wrote in between. Sorted by key, so that
 * two writers never lock in different orders.
 */
export function upsertParts(table: UpsertTable, scope: readonly string[]): { input: string; write: string } {
  const keys = Object.keys(table.key);
  const content = Object.keys(table.content);
  const columns = [...keys, ...content, ...table.newer];
  const types: Record<string, string> = {
    ...table.key,
    ...table.content,
    updated_on: 'timestamptz',
    observed_at: 'timestamptz',
  };
  const taken = Object.fromEntries(columns.map((name) => [name, types[name] ?? 'text']));
  const differs = (left: string, right: string): string =>
    `(${list(table.newer, left)}) > (${list(table.newer, right)})
       and (${list(content, left)}) is distinct from (${list(content, right)})`;
  const newerContent = table.newer.filter((name) => name !== 'observed_at');
  return {
    input: `select * from jsonb_to_recordset($rows$) as r(${typed(taken)})`,
    write: `insert into ${table.name} as t (${list([...scope, ...columns])})
      select ${scope.map((name) => `$${name}$`).join(', ')}, ${list(columns, 'i.')}
      from input i left join ${table.name} s on ${[
        ...scope.map((name) => `s.${name} = $${name}$`),
        ...keys.map((name) => `s.${name} = i.${name}`),
      ].join(' and ')}
      where s.${keys[0] ?? ''} is null or (${differs('i.', 's.')})
      order by ${list(keys, 'i.')}
      on conflict (${list([...scope, ...keys])}) do update set ${list(
        [...content, ...newerContent, 'observed_at'].map((name) => `${name} = excluded.${name}`),
      )} where ${differs('excluded.', 't.')}
      returning ${list(keys, 't.')}`,
  };
}

/** Puts values where a statement's text has `$name$`. */
export function bind(text: string, values: Record<string, SQL>): SQL {
  const chunks = text.split(/\$(\w+)\$/).map((part, index) => {
    if (index % 2 === 0) return sql.raw(part);
    const value = values[part];
    if (value === undefined) throw new Error(`The statement wants a value for ${part}.`);
    return value;
  });
  return sql.join(chunks);
}

/** `rows` as a parameter of the statement. */
export const rowsParameter = (rows: readonly Row[]): SQL => sql`${JSON.stringify(rows)}::jsonb`;

/**
 * Prepares the upsert of one table of a repository's records; the function writes one page in one statement and
 * returns how many rows were inserted or changed. Keys must be unique within `rows` (21000 otherwise).
 */
export function createUpsert(
  table: UpsertTable,
): (tx: Transaction, scope: RepositoryScope, rows: readonly Row[]) => Promise<number> {
  const { input, write } = upsertParts(table, ['organization_id', 'repository_id']);
  const text = `with input as materialized (${input}), written as (${write})
    select count(*)::int as written from written`;
  return async (tx, scope, rows) => {
    if (rows.length === 0) return 0;
    const [row] = await tx.execute<{ written: number }>(
      bind(text, { rows: rowsParameter(rows), ...scopeParameters(scope) }),
    );
    return row?.written ?? 0;
  };
}

/**
 * Prepares an insert of those records of a page that are not there yet, in one statement; what is there stays. Returns
 * how many were added.
 */
export function createInsertMissing(
  table: UpsertTable,
): (tx: Transaction, scope: RepositoryScope, rows: readonly Row[]) => Promise<number> {
  const { input } = upsertParts(table, ['organization_id', 'repository_id']);
  const keys = Object.keys(table.key);
  const columns = [...keys, ...Object.keys(table.content), ...table.newer];
  const text = `with input as (${input}), written as (
      insert into ${table.name} (organization_id, repository_id, ${list(columns)})
      select $organization_id$, $repository_id$, ${list(columns, 'i.')} from input i
      order by ${list(keys, 'i.')}
      on conflict (organization_id, repository_id, ${list(keys)}) do nothing
      returning 1)
    select count(*)::int as written from written`;
  return async (tx, scope, rows) => {
    if (rows.length === 0) return 0;
    const [row] = await tx.execute<{ written: number }>(
      bind(text, { rows: rowsParameter(rows), ...scopeParameters(scope) }),
    );
    return row?.written ?? 0;
  };
}

const scopeParameters = (scope: RepositoryScope): Record<string, SQL> => ({
  organization_id: sql`${scope.organizationId}::uuid`,
  repository_id: sql`${scope.repositoryId}::uuid`,
});
