import { setTimeout as sleep } from 'node:timers/promises';
import type { Clock } from '../clock.ts';
import { createRandom } from '../model/random.ts';
import type { DeliveryFault, DeliveryFaults } from './deliveryFaults.ts';
import type { DeliveryEntry, DeliveryJournal, RecordedDelivery } from './deliveryJournal.ts';
import { type Attempt, type Delivery, sendOnce } from './sendDelivery.ts';
import { shuffled } from './shuffled.ts';

/** What is larger is silently not sent (facts 5.3). */
export const LARGEST_BYTES = 256 * 1024;
/** The first and two more, on 500 to 599 only (facts 5.3). */
const MOST_ATTEMPTS = 3;

export interface Deliveries {
  /** Takes an event for a hook; it is sent in the background, after those before it for the same hook. */
  add(delivery: Delivery): void;
  /** Sends recorded deliveries again, one after another in this order for each hook; undefined for an unknown number. */
  redeliver(sequences: readonly number[]): DeliveryEntry[] | undefined;
  /** How many are not yet answered. */
  readonly waiting: number;
  /** Resolves when none waits any more, or after `timeoutMs`, with how many still do. */
  quiet(timeoutMs: number): Promise<number>;
  /** Ends what is under way and sends nothing more. */
  close(): Promise<void>;
}

/** Resends by the host's rules: never what got no answer, and no 4xx. */
const wantsAnother = ({ number, status }: Attempt): boolean =>
  number < MOST_ATTEMPTS && status !== null && status >= 500 && status <= 599;

function stateAfter({ status }: Attempt): DeliveryEntry['state'] {
  if (status === null) return 'unanswered';
  return status >= 200 && status < 300 ? 'delivered' : 'refused';
}

/** `timeoutMs` is 10 s at Bitbucket; how long it waits before it sends again, `resendAfterMs`, is not known. */
export function createDeliveries(options: {
  clock: Clock;
  faults: DeliveryFaults;
  journal: DeliveryJournal;
  timeoutMs: number;
  resendAfterMs: number;
}): Deliveries {
  const { clock, faults, journal } = options;
  const stopping = new AbortController();
  const stop = stopping.signal;
  /** The end of each hook's queue. */
  const tails = new Map<string, Promise<void>>();
  /** Held back by `reorder`, by hook. */
  const held = new Map<string, RecordedDelivery[]>();
  const underWay = new Set<Promise<void>>();
  const listeners = new Set<() => void>();
  let waiting = 0;
  let shuffles = 0;

  function settle(recorded: RecordedDelivery, state: DeliveryEntry['state']): void {
    recorded.entry.state = state;
    waiting -= 1;
    if (waiting === 0) for (const tellQuiet of listeners) tellQuiet();
  }

  /** Rejects when the simulator stops. */
  const pause = (ms: number): Promise<void> => sleep(ms, undefined, { signal: stop });

  async function send(recorded: RecordedDelivery, beforeMs: number): Promise<void> {
    const { entry, delivery } = recorded;
    if (beforeMs > 0) await pause(beforeMs);
    for (let number = 1; ; number += 1) {
      stop.throwIfAborted();
      const attempt = await sendOnce(delivery, {
        number,
        timeoutMs: options.timeoutMs,
        nowMs: clock.nowMs(),
        stop,
      });
      stop.throwIfAborted();
      entry.attempts.push(attempt);
      if (!wantsAnother(attempt)) return settle(recorded, stateAfter(attempt));
      await pause(options.resendAfterMs);
    }
  }

  /** What the end of the simulator breaks off is marked so; everything else is a mistake here. */
  function track(work: Promise<void>, recorded: readonly RecordedDelivery[]): void {
    const ended = work
      .catch((error: unknown) => {
        if (!stop.aborted) throw error;
        for (const one of recorded) if (one.entry.state === 'waiting') settle(one, 'stopped');
      })
      .finally(() => underWay.delete(ended));
    underWay.add(ended);
  }

  function queue(recorded: RecordedDelivery, beforeMs = 0): void {
    const { hook } = recorded.delivery;
    const before = tails.get(hook) ?? Promise.resolve();
    const sent = before.then(() => send(recorded, beforeMs));
    const tail = sent.catch(() => {});
    tails.set(hook, tail);
    track(sent, [recorded]);
  }

  function release(hook: string): void {
    const list = held.get(hook) ?? [];
    held.delete(hook);
    shuffles += 1;
    for (const recorded of shuffled(list, createRandom(faults.seed * 31 + shuffles))) queue(recorded);
  }

  function hold(
    recorded: RecordedDelivery,
    { window, within_ms }: { window: number; within_ms: number },
  ): void {
    const { hook } = recorded.delivery;
    const list = held.get(hook) ?? [];
    held.set(hook, list);
    list.push(recorded);
    if (list.length >= window) return release(hook);
    if (list.length > 1) return;
    const timer = async (): Promise<void> => {
      await pause(within_ms);
      if (held.get(hook) === list) release(hook);
    };
    track(timer(), list);
  }

  function begin(delivery: Delivery, fault: string | null, copyOf: number | null): RecordedDelivery {
    waiting += 1;
    return journal.begin(delivery, fault, copyOf);
  }

  function play(recorded: RecordedDelivery, fault: DeliveryFault): void {
    const { delivery, entry } = recorded;
    switch (fault.kind) {
      case 'lose':
        return settle(recorded, 'lost');
      case 'duplicate':
        queue(recorded);
        for (let copy = 0; copy < fault.times; copy += 1) queue(begin(delivery, fault.kind, entry.sequence));
        return;
      case 'delay':
        return queue(recorded, fault.ms);
      case 'late':
        return track(
          pause(fault.ms).then(() => queue(recorded)),
          [recorded],
        );
      case 'reorder':
        return hold(recorded, fault);
    }
  }

  return {
    add(delivery) {
      if (stop.aborted) return;
      const isTooLarge = Buffer.byteLength(delivery.body) > LARGEST_BYTES;
      const fault = isTooLarge ? undefined : faults.next(delivery);
      const recorded = begin(delivery, fault?.kind ?? null, null);
      if (isTooLarge) settle(recorded, 'too_large');
      else if (fault === undefined) queue(recorded);
      else play(recorded, fault);
    },
    redeliver(sequences) {
      const found = sequences.map((sequence) => journal.get(sequence)).filter((one) => one !== undefined);
      if (found.length < sequences.length) return undefined;
      const copies = found.map(({ delivery, entry }) => begin(delivery, null, entry.sequence));
      for (const copy of copies) queue(copy);
      return copies.map(({ entry }) => entry);
    },
    get waiting() {
      return waiting;
    },
    quiet(timeoutMs) {
      if (waiting === 0) return Promise.resolve(0);
      return new Promise((resolve) => {
        const done = (): void => {
          clearTimeout(timer);
          listeners.delete(done);
          resolve(waiting);
        };
        const timer = setTimeout(done, timeoutMs);
        listeners.add(done);
      });
    },
    async close() {
      stopping.abort();
      while (underWay.size > 0) await Promise.allSettled(underWay);
    },
  };
}
