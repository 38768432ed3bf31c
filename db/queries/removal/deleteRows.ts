import { sql, type SQL } from 'drizzle-orm';
import { STREAMS_OF_SERVICE, type Service } from '../../../workflows/words.ts';
import type { Transaction } from '../../client.ts';
import type { PurgedTable } from './tables.ts';

/** Whose rows: of a repository, an import, an estimate or an integration. */
export interface Owner {
  column: 'repository_id' | 'import_id' | 'estimate_id' | 'webhook_id' | 'integration_id';
  organizationId: string;
  id: string;
  /** only what these services brought in; left out: everything */
  services?: readonly Service[];
}

/** The key of the last row that was deleted, as text; null: none yet. */
export type LastKey = readonly string[] | null;

/** Names come from `tables.ts`, never from outside. */
const names = (columns: readonly string[]): SQL => sql.raw(columns.join(', '));

const streamsOf = (services: readonly Service[]): SQL =>
  sql`${`{${services.flatMap((service) => STREAMS_OF_SERVICE[service]).join(',')}}`}::text[]`;

/** Whether the owner's rows of this table are meant at all. */
export const isMeant = ({ of }: PurgedTable, { services }: Owner): boolean =>
  services === undefined || of === 'stream' || (of !== undefined && services.includes(of));

function ownedBy(table: PurgedTable, { column, organizationId, id, services }: Owner): SQL {
  const owned = sql`organization_id = ${organizationId}::uuid and ${sql.raw(column)} = ${id}::uuid`;
  return services === undefined || table.of !== 'stream'
    ? owned
    : sql`${owned} and stream = any (${streamsOf(services)})`;
}

/**
 * Deletes the next rows of an owner behind `after`, in the order of the table's key, `limit` at most. By ranges of the key
 * and not from the beginning each time: what is deleted stays in the index until vacuum, and would be passed again.
 * `last: null`: there are no more.
 */
export async function deleteNext(
  tx: Transaction,
  { table, owner, after, limit }: { table: PurgedTable; owner: Owner; after: LastKey; limit: number },
): Promise<{ removed: number; last: LastKey }> {
  const keys = Object.keys(table.key);
  const types = Object.values(table.key);
  const behind =
    after === null
      ? sql`true`
      : sql`(${names(keys)}) > (${sql.join(
          types.map((type, at) => sql`${after[at]}::${sql.raw(type)}`),
          sql`, `,
        )})`;
  // By their places, or (a place is good for one partition only) by the range of the key that they fill: no planner can
  // take these for a reason to read the whole table, or all that the owner has once for each row.
  const which =
    table.partitioned === true
      ? sql`where ${ownedBy(table, owner)} and ${behind}
          and (${names(keys)}) <= (select ${names(keys)} from doomed order by ${names(keys.map((key) => `${key} desc`))} limit 1)`
      : sql`where t.ctid = any (array(select row_at from doomed))`;
  const [row] = await tx.execute<{ removed: number; found: number; last: string[] | null }>(sql`
    with doomed as materialized (
      select ctid as row_at, ${names(keys)} from ${sql.raw(table.name)}
      where ${ownedBy(table, owner)} and ${behind}
      order by ${names(keys)} limit ${limit}
    ), gone as (
      delete from ${sql.raw(table.name)} t ${which} returning 1
    )
    select (select count(*) from gone)::int as removed, (select count(*) from doomed)::int as found,
      (select array[${names(keys.map((key) => `${key}::text`))}] from doomed
        order by ${names(keys.map((key) => `${key} desc`))} limit 1) as last`);
  const { removed, found, last } = row ?? { removed: 0, found: 0, last: null };
  return { removed, last: found < limit ? null : last };
}
