import { mustBeInTime } from '../platform/attempt.ts';
import { type Connection, openConnection, type Transaction } from './connection.ts';
import { DatabaseError, databaseError, isRepeatable } from './errors.ts';
import { createPool } from './pool.ts';

export type { Transaction } from './connection.ts';

export interface DatabaseOptions {
  url: string;
  maxConnections: number;
  /** shown in `pg_stat_activity` */
  applicationName: string;
  /** a connection that cannot be had within this time fails; default 5 s */
  connectTimeoutSeconds?: number;
  /** one statement may take this long; default: as long as it needs */
  statementTimeoutMs?: number;
  /**
   * Each statement is planned once a connection, whatever its parameters. For who asks few kinds of statements often, each
   * of them by an index: Postgres otherwise makes a plan for each call where one for these values looks cheaper, which takes
   * a millisecond or two. Default: Postgres chooses.
   */
  plansOnce?: boolean;
  /**
   * A transaction whose process says nothing for so long is rolled back; default 10 s, like a heartbeat. A process
   * that froze in the middle of one (stopped, swapped out) would keep its locks, and so its successor waiting.
   */
  idleTransactionMs?: number;
}

/**
 * A `signal` that is aborted says that nobody waits any more: what has not begun never does, and a transaction that has is
 * rolled back instead of committed. Its reason is thrown.
 */
export interface Database {
  /**
   * Runs `work` in one transaction as the tenant: row-level security shows and takes rows of this organization only.
   * Runs it again after a deadlock or serialisation failure, so `work` must not have effects outside the transaction.
   * Throws DatabaseError (SQLSTATE, no parameters), and AttemptOver in an activity whose time has run out; other errors of
   * `work` pass through.
   */
  transaction<T>(
    organizationId: string,
    work: (tx: Transaction) => Promise<T>,
    signal?: AbortSignal,
  ): Promise<T>;
  /**
   * For what only reads as the tenant; each statement sees what was committed when it began, as in a transaction of ours.
   * Writing fails with SQLSTATE 25006. Nothing but the statements is sent where the connection's last reader was the same
   * tenant. Those that need nothing of one another are best sent together (`Promise.all`): they share a round trip.
   */
  read<T>(organizationId: string, work: (tx: Transaction) => Promise<T>, signal?: AbortSignal): Promise<T>;
  /** For tables without tenant data and the named look-up functions; sees no tenant's row. */
  withoutTenant<T>(work: (tx: Transaction) => Promise<T>, signal?: AbortSignal): Promise<T>;
  /**
   * Like `withoutTenant` for exactly one statement, which commits by itself: one round trip instead of four. After a
   * lost connection nobody knows whether it was done.
   */
  statement<T>(work: (tx: Transaction) => Promise<T>, signal?: AbortSignal): Promise<T>;
  end(): Promise<void>;
}

const REPEATS = 5;

/**
 * A pool of connections with Drizzle on each (timestamps stay text). A connection that Postgres ended costs the
 * transaction on it, and nothing else.
 *
 * @example
 * const rows = await database.transaction(organizationId, (tx) => tx.select().from(repositories));
 */
export function createDatabase(options: DatabaseOptions): Database {
  const pool = createPool(options.maxConnections, () =>
    openConnection({
      url: options.url,
      connectTimeoutSeconds: options.connectTimeoutSeconds ?? 5,
      settings: {
        application_name: options.applicationName,
        idle_in_transaction_session_timeout: options.idleTransactionMs ?? 10_000,
        ...(options.statementTimeoutMs === undefined
          ? {}
          : { statement_timeout: options.statementTimeoutMs }),
        ...(options.plansOnce === true ? { plan_cache_mode: 'force_generic_plan' } : {}),
      },
    }),
  );

  async function attempt<T>(
    work: (connection: Connection) => Promise<T>,
    signal: AbortSignal | undefined,
  ): Promise<T> {
    try {
      return await pool.use(work, signal);
    } catch (error) {
      throw databaseError(error) ?? error;
    }
  }

  async function repeat<T>(
    work: (connection: Connection) => Promise<T>,
    signal: AbortSignal | undefined,
  ): Promise<T> {
    for (let tries = 1; ; tries += 1) {
      try {
        return await attempt(work, signal);
      } catch (error) {
        if (!(error instanceof DatabaseError) || !isRepeatable(error) || tries === REPEATS) throw error;
      }
    }
  }

  const asTenant = <T>(
    organizationId: string,
    work: (tx: Transaction) => Promise<T>,
    signal: AbortSignal | undefined,
  ): Promise<T> =>
    repeat((connection) => {
      // Looked at with the connection in hand: who waits for one may freeze, or wait for long.
      mustBeInTime();
      return connection.transaction(organizationId, async (tx) => {
        const result = await work(tx);
        signal?.throwIfAborted();
        return result;
      });
    }, signal);

  return {
    transaction: asTenant,
    read: (organizationId, work, signal) =>
      repeat((connection) => connection.read(organizationId, work), signal),
    withoutTenant: (work, signal) => asTenant('', work, signal),
    statement: (work, signal) => repeat((connection) => connection.statement(work), signal),
    end: () => pool.end(),
  };
}
