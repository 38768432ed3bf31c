import { setTimeout as sleep } from 'node:timers/promises';
import type { Connection } from './connection.ts';

export interface Pool {
  /** Runs `work` on a connection that nobody else uses; waits while all are in use. Throws what opening one throws. */
  use<T>(work: (connection: Connection) => Promise<T>): Promise<T>;
  /** Waits for those in use, five seconds at most, then closes all. */
  end(): Promise<void>;
}

/** Postgres' processes grow with what they have seen. */
const LIFETIME_MS = 30 * 60_000;
const GRACE_MS = 5_000;

/** Keeps up to `max` connections. One that was lost is thrown away; the next user opens another. */
export function createPool(max: number, open: () => Promise<Connection>): Pool {
  const idle: Connection[] = [];
  const opened = new Map<Connection, number>();
  const waiting: (() => void)[] = [];
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
    const over = ended && waiting.length === 0;
    if (over || connection.isLost() || age > LIFETIME_MS) await discard(connection);
    else idle.push(connection);
  }

  return {
    async use(work) {
      if (used >= max) await new Promise<void>((resolve) => waiting.push(resolve));
      else used += 1;
      try {
        const connection = await take();
        try {
          return await work(connection);
        } finally {
          await giveBack(connection);
        }
      } finally {
        const next = waiting.shift();
        // whoever waits takes over the place
        if (next === undefined) used -= 1;
        else next();
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
