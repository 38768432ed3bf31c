import { setTimeout as rest } from 'node:timers/promises';
import type { Registry } from 'prom-client';
import type { Database } from '../../db/client.ts';
import type { Logger } from '../../platform/log.ts';
import { createRelayMetrics } from './relayMetrics.ts';
import { takeUp } from './takeUp.ts';
import { createWakeBuffer } from './wakeBuffer.ts';
import { createWakeRound } from './wakeRound.ts';
import type { Waker } from './waker.ts';

export interface RelayOptions {
  database: Database;
  waker: Waker;
  log: Logger;
  /** where deliveries are counted; left out: nowhere */
  metrics?: Registry | undefined;
  /** how often it looks for what is due; default 250 ms */
  everyMs?: number;
  /** default: this process' own */
  clock?: RelayClock;
}

/** By what the relay rests between two looks. */
export interface RelayClock {
  /** milliseconds since any moment; never goes back */
  nowMs(): number;
  /** Resolves after so many milliseconds, or as soon as the signal is aborted. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

const CLOCK: RelayClock = {
  nowMs: () => performance.now(),
  sleep: (ms, signal) => rest(ms, undefined, { signal }).catch(() => {}),
};
const EVERY_MS = 250;
/** So many are claimed in a round. */
const CHUNK = 500;
/** How many deliveries wait for their wake at most: ids only. */
const MOST_WAITING = 50_000;
/**
 * While Temporal is away: how long until the next attempt, how many deliveries it is made with, and how often so many are
 * claimed in search of one that wakes somebody.
 */
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 10_000;
const PROBE = 10;
const PROBES = 10;

/**
 * Hands deliveries on as hints: claims what is due, and wakes the sync of each repository, at most once a second, whatever
 * comes. A delivery is marked only after Temporal accepted its wake; so whatever breaks off here, or is away, it is taken
 * up again, by this worker or another, and costs at most a hint more. After it claimed it rests for as long at least: in
 * a storm, to store what comes goes before handing it on. Answers how to stop.
 */
export function startRelay(options: RelayOptions): () => Promise<void> {
  const { database, waker, log, everyMs = EVERY_MS, clock = CLOCK } = options;
  const metrics = createRelayMetrics(options.metrics);
  const buffer = createWakeBuffer();
  const wakeRound = createWakeRound({ database, waker, buffer, log, metrics });
  const stopping = new AbortController();
  let pauseMs = 0;

  /** Claims what is due, as far as one round goes; after a failure, until there is something to try it with. */
  async function collect(): Promise<void> {
    const isProbe = pauseMs > 0;
    const chunk = isProbe ? PROBE : CHUNK;
    for (let n = 0; n < PROBES && buffer.size < MOST_WAITING && !stopping.signal.aborted; n += 1) {
      const taken = await takeUp(database, chunk);
      for (const wake of taken.wakes) buffer.add(wake);
      for (const reason of taken.ignored) metrics.count(reason, 1);
      if (!isProbe || taken.due < chunk || buffer.size > 0) return;
    }
  }

  /** Answers how long claiming took: to wait for a Temporal that is away is no work of Postgres'. */
  async function round(): Promise<number> {
    const beganMs = clock.nowMs();
    await collect();
    const claimedMs = clock.nowMs() - beganMs;
    const { accepted, failed } = await wakeRound();
    if (accepted > 0) pauseMs = 0;
    // One that fails alone comes again by itself; when all do, Temporal is away.
    else if (failed > 0) pauseMs = Math.min(LONGEST_PAUSE_MS, Math.max(FIRST_PAUSE_MS, pauseMs * 2));
    return claimedMs;
  }

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      const startedAtMs = clock.nowMs();
      let claimedMs = 0;
      try {
        claimedMs = await round();
      } catch (error) {
        if (!stopping.signal.aborted)
          log.warn({ error }, 'Webhook deliveries could not be handed on; tried again');
      }
      const waitMs = Math.max(pauseMs, everyMs - (clock.nowMs() - startedAtMs), claimedMs);
      await clock.sleep(waitMs, stopping.signal);
    }
    await wakeRound.giveBack();
  }

  const running = run().catch((error: unknown) => {
    log.warn({ error }, 'Claimed webhook deliveries could not be given back; their lease ends by itself');
  });
  return () => {
    stopping.abort();
    return running;
  };
}
