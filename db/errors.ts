import { DrizzleQueryError } from 'drizzle-orm/errors';
import postgres from 'postgres';

/** What Postgres refused, without the statement and its parameters (they may carry personal data). */
export class DatabaseError extends Error {
  override readonly name = 'DatabaseError';
  /** SQLSTATE, e.g. `23505`; `08001` stands for a connection that could not be had, `08006` for every lost one */
  readonly code: string;
  readonly constraint: string | undefined;
  readonly table: string | undefined;

  constructor(
    code: string,
    message: string,
    more: { constraint?: string | undefined; table?: string | undefined; cause?: unknown } = {},
  ) {
    super(message, more.cause === undefined ? undefined : { cause: more.cause });
    this.code = code;
    this.constraint = more.constraint;
    this.table = more.table;
  }
}

// Of a connection that stood: postgres.js' own codes, and Node's for its socket. What fails while one is opened is told
// apart by where it fails, for there it may be anything (names, routes, files, certificates).
const LOST_CODES = new Set([
  'CONNECTION_CLOSED',
  'CONNECTION_ENDED',
  'CONNECTION_DESTROYED',
  'ECONNABORTED',
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTDOWN',
  'EHOSTUNREACH',
  'ENETDOWN',
  'ENETUNREACH',
  'EPIPE',
  'ETIMEDOUT',
]);

/**
 * The database's error, also inside of Drizzle's (which puts statement and parameters into its message), or `undefined`
 * for what is none of Postgres'. Other causes are not looked at: a call to somebody else that breaks off within a
 * transaction has a socket's code too.
 */
export function databaseError(error: unknown): DatabaseError | undefined {
  const failed = error instanceof DrizzleQueryError ? error.cause : error;
  if (failed instanceof DatabaseError) return failed;
  if (failed instanceof postgres.PostgresError) {
    return new DatabaseError(failed.code, failed.message, {
      constraint: failed.constraint_name,
      table: failed.table_name,
    });
  }
  const code: unknown = failed instanceof Error && 'code' in failed ? failed.code : undefined;
  return typeof code === 'string' && LOST_CODES.has(code)
    ? new DatabaseError('08006', `The connection to Postgres failed (${code}).`, { cause: failed })
    : undefined;
}

/** Serialisation failure and deadlock: the transaction may simply run again. */
export const isRepeatable = (error: DatabaseError): boolean =>
  error.code === '40001' || error.code === '40P01';

/** Postgres says goodbye (restart, terminated by an administrator), or is not there: the connection is of no more use. */
export const isGone = (error: DatabaseError): boolean =>
  error.code.startsWith('08') || error.code.startsWith('57P');

/** No disk, no memory, no connection left, and a disk that fails: what an operator mends, or time. */
const OUT_OF_RESOURCES = new Set(['53100', '53200', '53300', '58030']);

/** Postgres is not there, restarting, or out of something: somebody should come back later. */
export const isUnavailable = (error: DatabaseError): boolean =>
  isGone(error) || OUT_OF_RESOURCES.has(error.code);
