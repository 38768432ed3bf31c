import type { Attempt, Delivery } from './sendDelivery.ts';

/**
 * `waiting`: not yet answered · `delivered`: answered 2xx · `refused`: the last answer was another · `unanswered`: the last
 * attempt timed out or broke · `lost`: a fault kept it · `too_large`: over 256 KB, silently not sent · `stopped`: the
 * simulator ended first.
 */
export type DeliveryState =
  | 'waiting'
  | 'delivered'
  | 'refused'
  | 'unanswered'
  | 'lost'
  | 'too_large'
  | 'stopped';

/** One delivery as `/_simulator/deliveries` shows it, without its body. */
export interface DeliveryEntry {
  /** From 1, in order of the events. */
  sequence: number;
  /** The host's clock at the event. */
  time_ms: number;
  event: string;
  repository: string;
  hook: string;
  url: string;
  request_uuid: string;
  state: DeliveryState;
  /** Kind of the fault played, if any. */
  fault: string | null;
  /** The delivery it repeats, by a fault or by hand. */
  copy_of: number | null;
  bytes: number;
  attempts: Attempt[];
}

export interface RecordedDelivery {
  entry: DeliveryEntry;
  delivery: Delivery;
}

export interface DeliveryJournal {
  begin(delivery: Delivery, fault: string | null, copyOf: number | null): RecordedDelivery;
  get(sequence: number): RecordedDelivery | undefined;
  /** Those after a sequence number. */
  since(sequence: number): RecordedDelivery[];
  clear(): void;
}

/** Keeps the newest `limit` deliveries, bodies included. */
export function createDeliveryJournal(limit = 20_000): DeliveryJournal {
  const recorded = new Map<number, RecordedDelivery>();
  let sequence = 0;
  return {
    begin(delivery, fault, copyOf) {
      sequence += 1;
      const entry: DeliveryEntry = {
        sequence,
        time_ms: delivery.timeMs,
        event: delivery.event,
        repository: delivery.repository,
        hook: delivery.hook,
        url: delivery.url,
        request_uuid: delivery.requestUuid,
        state: 'waiting',
        fault,
        copy_of: copyOf,
        bytes: Buffer.byteLength(delivery.body),
        attempts: [],
      };
      const made = { entry, delivery };
      recorded.set(sequence, made);
      if (recorded.size > limit) recorded.delete(recorded.keys().next().value ?? 0);
      return made;
    },
    get: (wanted) => recorded.get(wanted),
    since: (after) => [...recorded.values()].filter(({ entry }) => entry.sequence > after),
    clear: () => recorded.clear(),
  };
}
