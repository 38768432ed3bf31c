import postgres from 'postgres';

/** What Postgres refused, without the statement and its parameters (they may carry personal data). */
export class DatabaseError extends Error {
  override readonly name = 'DatabaseError';
  /** SQLSTATE, e.g. `23505`; `08006` stands for every lost connection */
  readonly code: string;
  readonly constraint: string | undefined;
  readonly table: string | undefined;

  constructor(
    code: string,
    message: string,
    place: { constraint?: string | undefined; table?: string | undefined } = {},
  ) {
    super(message);
    this.code = code;
    this.constraint = place.constraint;
    this.table = place.table;
  }
}

// postgres.js' own codes for a connection that could not be had or was lost; Node's for the socket.
const CONNECTION_CODES = new Set([
  'CONNECTION_CLOSED',
  'CONNECTION_ENDED',
  'CONNECTION_DESTROYED',
  'CONNECT_TIMEOUT',
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
]);

/**
 * The database's error inside whatever wraps it (Drizzle puts statement and parameters into its message),
 * or `undefined` when the cause is none of Postgres'.
 */
export function databaseError(error: unknown): DatabaseError | undefined {
  for (let at: unknown = error, depth = 0; at instanceof Error && depth < 5; at = at.cause, depth += 1) {
    if (at instanceof DatabaseError) return at;
    if (at instanceof postgres.PostgresError) {
      return new DatabaseError(at.code, at.message, { constraint: at.constraint_name, table: at.table_name });
    }
    const code: unknown = 'code' in at ? at.code : undefined;
    if (typeof code === 'string' && CONNECTION_CODES.has(code)) {
      return new DatabaseError('08006', `The connection to Postgres failed (${code}).`);
    }
  }
  return undefined;
}

/** Serialisation failure and deadlock: the transaction may simply run again. */
export const isRepeatable = (error: DatabaseError): boolean =>
  error.code === '40001' || error.code === '40P01';

/** Postgres is not there, restarting, or out of connections: somebody should come back later. */
export const isUnavailable = (error: DatabaseError): boolean =>
  error.code.startsWith('08') || error.code.startsWith('57P') || error.code === '53300';
