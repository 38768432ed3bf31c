import { type SQL, sql } from 'drizzle-orm';

/**
 * JSON that Postgres puts together as text. Where a page nests lists in its rows, `jsonb_build_object` and `jsonb_agg` take
 * most of the statement's time: they look up the type of each value in each row, and build a tree that is written out
 * again (docs/decisions/what-a-read-costs.md).
 */

/** JSON text of one value, never null. */
type JsonText = SQL;

/** Any text, escaped. */
export const text = (value: SQL): JsonText => sql`coalesce(to_json(${value})::text, 'null')`;

/** A word of ours, an id, a hash or a timestamp: nothing in it needs escaping. */
export const word = (value: SQL): JsonText => sql`coalesce('"' || ${value} || '"', 'null')`;

/** A number, a boolean or JSON. */
export const literal = (value: SQL): JsonText => sql`coalesce(${value}::text, 'null')`;

/** JSON text of an object. The names are those of our own code. */
export function object(fields: Readonly<Record<string, JsonText>>): JsonText {
  const parts = Object.entries(fields).map(
    ([name, value], index) => sql`${sql.raw(`'${index === 0 ? '{' : ','}"${name}":'`)} || ${value}`,
  );
  return sql`${sql.join(parts, sql` || `)} || '}'`;
}

/** A column of JSON. */
export const asJson = (value: JsonText): SQL => sql`(${value})::json`;

/** An aggregate: the list of all, `[]` of none. */
export const jsonList = (value: JsonText, order: SQL): SQL =>
  sql`('[' || coalesce(string_agg(${value}, ',' order by ${order}), '') || ']')::json`;
