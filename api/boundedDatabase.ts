import type { Database } from '../db/client.ts';
import { DatabaseError } from '../db/errors.ts';

/**
 * The same database, whose calls fail after `timeoutMs` when Postgres hangs (a pool that waits for connections, a
 * server that does not answer). A statement that is under way ends by its own statement timeout.
 */
export function boundedDatabase(database: Database, timeoutMs: number): Database {
  function bounded<T>(work: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        // SQLSTATE class 08: connection exceptions
        reject(new DatabaseError('08000', `Postgres did not answer within ${timeoutMs} ms.`));
      }, timeoutMs);
      work.then(resolve, reject).finally(() => clearTimeout(timer));
    });
  }
  return {
    transaction: (organizationId, work) => bounded(database.transaction(organizationId, work)),
    read: (organizationId, work) => bounded(database.read(organizationId, work)),
    withoutTenant: (work) => bounded(database.withoutTenant(work)),
    statement: (work) => bounded(database.statement(work)),
    end: () => database.end(),
  };
}
