import type { Database } from '../db/client.ts';
import { DatabaseError } from '../db/errors.ts';

/** SQLSTATE class 08, connection exceptions: none in particular, and a transaction of which nobody knows how it ended. */
const NO_ANSWER = '08000';
const UNKNOWN_OUTCOME = '08007';

/**
 * The same database, whose calls fail after `timeoutMs` when Postgres hangs (a pool that waits for connections, a
 * server that does not answer). What has not begun by then never does: behind an overload nothing is left to be worked off
 * for callers that are gone. A statement that is under way ends by its own statement timeout, and its transaction without a
 * commit, unless that is under way too: so what may have been written fails with a code of its own (08007).
 */
export function boundedDatabase(database: Database, timeoutMs: number): Database {
  function bounded<T>(code: string, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const over = new AbortController();
      const timer = setTimeout(() => {
        const error = new DatabaseError(code, `Postgres did not answer within ${timeoutMs} ms.`);
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
      bounded(UNKNOWN_OUTCOME, (signal) => database.transaction(organizationId, work, signal)),
    read: (organizationId, work) =>
      bounded(NO_ANSWER, (signal) => database.read(organizationId, work, signal)),
    withoutTenant: (work) => bounded(NO_ANSWER, (signal) => database.withoutTenant(work, signal)),
    statement: (work) => bounded(UNKNOWN_OUTCOME, (signal) => database.statement(work, signal)),
    end: () => database.end(),
  };
}
