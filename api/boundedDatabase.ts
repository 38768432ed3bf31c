import type { Database } from '../db/client.ts';
import { DatabaseError } from '../db/errors.ts';

/**
 * The same database, whose calls fail after `timeoutMs` when Postgres hangs (a pool that waits for connections, a
 * server that does not answer). What has not begun by then never does: behind an overload nothing is left to be worked off
 * for callers that are gone. A statement that is under way ends by its own statement timeout, and its transaction without a
 * commit.
 */
export function boundedDatabase(database: Database, timeoutMs: number): Database {
  function bounded<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const over = new AbortController();
      const timer = setTimeout(() => {
        // SQLSTATE class 08: connection exceptions
        const error = new DatabaseError('08000', `Postgres did not answer within ${timeoutMs} ms.`);
        over.abort(error);
        reject(error);
      }, timeoutMs);
      work(over.signal)
        .then(resolve, reject)
        .finally(() => clearTimeout(timer));
    });
  }
  return {
    transaction: (organizationId, work) =>
      bounded((signal) => database.transaction(organizationId, work, signal)),
    read: (organizationId, work) => bounded((signal) => database.read(organizationId, work, signal)),
    withoutTenant: (work) => bounded((signal) => database.withoutTenant(work, signal)),
    statement: (work) => bounded((signal) => database.statement(work, signal)),
    end: () => database.end(),
  };
}
