import { is, SQL, StringChunk, type SQLChunk } from 'drizzle-orm';
import type { Database, Transaction } from '../../db/client.ts';

type Row = Record<string, unknown>;

/** A statement of the engine on its way to Postgres. */
export interface Statement {
  /** its text, without the values */
  readonly text: string;
  readonly query: SQL;
  /** the same with other values in it */
  withValues(change: (value: unknown) => unknown): SQL;
  /** the same with other rows, where it stores a list of them */
  withRows(change: (rows: Row[]) => Row[]): SQL;
}

/** Gives what is sent instead of a statement, or throws: a crash at this place. */
export type Bug = (statement: Statement, organizationId: string) => SQL | Promise<SQL>;

const textOf = (query: SQL): string =>
  query.queryChunks
    .map((chunk) => {
      if (is(chunk, SQL)) return textOf(chunk);
      return is(chunk, StringChunk) ? chunk.value.join('') : '?';
    })
    .join('');

function mapValues(query: SQL, change: (value: unknown) => unknown): SQL {
  return new SQL(
    query.queryChunks.map((chunk): SQLChunk => {
      if (is(chunk, SQL)) return mapValues(chunk, change);
      return is(chunk, StringChunk) ? chunk : (change(chunk) as SQLChunk);
    }),
  );
}

function statementOf(query: SQL): Statement {
  return {
    text: textOf(query),
    query,
    withValues: (change) => mapValues(query, change),
    withRows: (change) =>
      mapValues(query, (value) =>
        typeof value === 'string' && value.startsWith('[')
          ? JSON.stringify(change(JSON.parse(value) as Row[]))
          : value,
      ),
  };
}

/** The database of an engine with a bug between its code and Postgres. */
export function plantedDatabase(database: Database, bug: Bug): Database {
  return {
    ...database,
    transaction: (organizationId, work) =>
      database.transaction(organizationId, (tx) =>
        work(
          new Proxy<Transaction>(tx, {
            get(target, name, receiver) {
              if (name !== 'execute') return Reflect.get(target, name, receiver) as unknown;
              return async (query: SQL) => target.execute(await bug(statementOf(query), organizationId));
            },
          }),
        ),
      ),
  };
}
