import { setTimeout as sleep } from 'node:timers/promises';
import type { Database } from '../../db/client.ts';
import { DatabaseError } from '../../db/errors.ts';
import { type NewDelivery, storeDeliveries } from '../../db/queries/api/webhooks.ts';
import { unavailable } from '../problem.ts';

export interface DeliveryWriter {
  /**
   * Stores a delivery. Resolves when it is committed, false: its webhook is gone. Throws a 503 when Postgres does not
   * take it in time, or more wait already than memory should hold.
   */
  store(delivery: NewDelivery): Promise<boolean>;
}

interface Waiting {
  delivery: NewDelivery;
  resolve: (stored: boolean) => void;
  reject: (error: unknown) => void;
}

/** One statement takes as much as fits; bodies are 512 KB at most. */
const BATCH_ROWS = 100;
const BATCH_BYTES = 2 * 1024 * 1024;
/** A statement costs more than a row of it: when many come, those of so long go together. A single one never waits. */
const APART_MS = 10;
const QUEUE_BYTES = 64 * 1024 * 1024;

/**
 * Writes deliveries in groups: those that come while a statement is under way go with the next one, so the cost of a
 * commit is shared when many come, and nobody waits for others when few do. Each is answered after its own commit.
 */
export function createDeliveryWriter(database: Database): DeliveryWriter {
  let queue: Waiting[] = [];
  let queuedBytes = 0;
  let isWriting = false;
  let beganMs = -APART_MS;

  function takeBatch(): Waiting[] {
    let bytes = 0;
    let rows = 0;
    for (const { delivery } of queue) {
      if (rows === BATCH_ROWS || (rows > 0 && bytes + delivery.body.byteLength > BATCH_BYTES)) break;
      bytes += delivery.body.byteLength;
      rows += 1;
    }
    queuedBytes -= bytes;
    return queue.splice(0, rows);
  }

  /** A webhook that was removed during the statement fails it for all (23503); the next one passes over it. */
  async function storeWhatHasItsHook(deliveries: NewDelivery[]): Promise<Set<string>> {
    try {
      return await storeDeliveries(database, deliveries);
    } catch (error) {
      if (!(error instanceof DatabaseError) || error.code !== '23503') throw error;
      return storeDeliveries(database, deliveries);
    }
  }

  async function write(batch: Waiting[]): Promise<void> {
    // The same body twice at once is one row: both are answered by it.
    const distinct = new Map(batch.map(({ delivery }) => [delivery.id, delivery]));
    try {
      const stored = await storeWhatHasItsHook([...distinct.values()]);
      for (const { delivery, resolve } of batch) resolve(stored.has(delivery.id));
    } catch (error) {
      // Those behind would wait for the same in vain, and their sender gives up after ten seconds.
      const failed = [...batch, ...queue];
      queue = [];
      queuedBytes = 0;
      for (const { reject } of failed) reject(error);
    }
  }

  /** One statement at a time, until nobody waits. */
  async function writeAll(): Promise<void> {
    isWriting = true;
    while (queue.length > 0) {
      const waitMs = beganMs + APART_MS - performance.now();
      if (waitMs > 0) await sleep(waitMs);
      beganMs = performance.now();
      await write(takeBatch());
    }
    isWriting = false;
  }

  return {
    store: (delivery) =>
      new Promise<boolean>((resolve, reject) => {
        if (queuedBytes + delivery.body.byteLength > QUEUE_BYTES) throw unavailable('Postgres');
        queue.push({ delivery, resolve, reject });
        queuedBytes += delivery.body.byteLength;
        if (!isWriting) void writeAll();
      }),
  };
}
