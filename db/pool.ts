import { setTimeout as sleep } from 'node:timers/promises';
import type { Connection } from './connection.ts';

export interface Pool {
  /**
   * Runs `work` on a connection that nobody else uses; waits while all are in use. Throws what opening one throws, and the
   * reason of `signal` where that is aborted before `work` could begin: it is never begun then.
   */
  use<T>(work: (connection: Connection) => Promise<T>, signal?: AbortSignal): Promise<T>;
  /** Waits for those in use, five seconds at most, then closes all. */
  end(): Promise<void>;
}

/** Postgres' processes grow with what they have seen. */
const LIFETIME_MS = 30 * 60_000;
const GRACE_MS = 5_000;

/** Keeps up to `max` connections. One that was lost is thrown away, with those that are idle; the next user opens another. */
export function createPool(max: number, open: () => Promise<Connection>): Pool {
  const idle: Connection[] = [];
  const opened = new Map<Connection, number>();
  /** in the order in which they came */
  const waiting = new Set<() => void>();
  let used = 0;
  let ended = false;
  let emptied = (): void => {};

  async function take(): Promise<Connection> {
    for (let known = idle.pop(); known !== undefined; known = idle.pop()) {
      if (!known.isLost()) return known;
      await discard(known);
    }
    const connection = await open();
    opened.set(connection, performance.now());
    return connection;
  }

  async function discard(connection: Connection): Promise<void> {
    opened.delete(connection);
    await connection.close();
  }

  async function giveBack(connection: Connection): Promise<void> {
    const age = performance.now() - (opened.get(connection) ?? 0);
    const over = ended && waiting.size === 0;
    // Idle ones went the same way: where the peer vanished they are as lost, and nobody has told them.
    if (connection.isLost()) await Promise.all(idle.splice(0).map(discard));
    if (over || connection.isLost() || age > LIFETIME_MS) await discard(connection);
    else idle.push(connection);
  }

  /** Whoever is not waited for any more leaves the queue: what nobody wants would keep those behind it waiting. */
  function untilFree(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const enter = (): void => {
        signal?.removeEventListener('abort', leave);
        resolve();
      };
      const leave = (): void => {
        waiting.delete(enter);
        reject(signal?.reason);
      };
      waiting.add(enter);
      signal?.addEventListener('abort', leave, { once: true });
    });
  }

  return {
    async use(work, signal) {
      signal?.throwIfAborted();
      if (used >= max) await untilFree(signal);
      else used += 1;
      try {
        const connection = await take();
        try {
          // Opening it took its time too.
          signal?.throwIfAborted();
          return await work(connection);
        } finally {
          await giveBack(connection);
        }
      } finally {
        const [next] = waiting;
        // whoever waits takes over the place
        if (next === undefined) used -= 1;
        else {
          waiting.delete(next);
          next();
        }
        if (used === 0) emptied();
      }
    },
    async end() {
      ended = true;
      if (used > 0) {
        const empty = new Promise<void>((resolve) => (emptied = resolve));
        await Promise.race([empty, sleep(GRACE_MS, undefined, { ref: false })]);
      }
      await Promise.all([...opened.keys()].map(discard));
    },
  };
}
