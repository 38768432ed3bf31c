import { setTimeout as sleep } from 'node:timers/promises';
import type { Database } from '../../db/client.ts';
import type { LimitGroup, RequestLimits } from '../../platform/requestLimits.ts';
import { answerRequest, type TakeAnswer, takeRequest } from '../../db/queries/requestBudget.ts';
import { retryAfterSeconds, statedLimits } from './answerHeaders.ts';
import { type Asker, BACKGROUND } from './asker.ts';
import { FAILING, NotWanted, RateLimited, REFUSED, USED_UP } from './errors.ts';
import { rateLimitedFinding } from './findings.ts';

interface Window {
  /** limits count per user, over all of that user's credentials (facts 4.3) */
  accountKey: string;
  group: LimitGroup;
}

export interface TakeRequest extends Window {
  asker?: Asker;
  /** how many HTTP requests are about to be sent; default 1 */
  requests?: number;
  /** within which the answer will have come; behind it nobody may still be sending */
  deadlineMs: number;
  signal: AbortSignal;
  /** the longest wait inside the call; a longer one throws RateLimited */
  maxWaitMs: number;
  onWait?: (until: string) => void;
  /** asked again and again while it waits: false ends the wait with NotWanted */
  stillWanted?: () => Promise<boolean>;
}

/** One taken request. It is spent, given back or, when its holder dies, runs out by itself. */
export interface Permit {
  /** Postgres' clock, ISO with microseconds */
  readonly observedAt: string;
  /** after a refusal one request at a time finds out whether the limit still holds */
  readonly probing: boolean;
  /** milliseconds left until its deadline; not above 0: it must not be used any more */
  leftMs(): number;
  /** Reports the answer. For a 429: the ISO time from which requests may go again. */
  answered(answer: { status: number; headers: Headers }): Promise<{ blockedUntil?: string }>;
  /** Reports that no answer came to what was sent. */
  failed(): Promise<void>;
  /** Gives back what never left this machine (no connection, aborted before). */
  unsent(): Promise<void>;
}

/** The request budget: every request is taken here before it is sent, and its answer reported. */
export interface RequestGate {
  /**
   * Waits up to `maxWaitMs` for room in the account's window, then gives the permit; throws RateLimited when it takes
   * longer, NotWanted when nobody wants it any more, and the signal's reason when aborted. One short statement each time, no
   * lock while the request is under way.
   */
  take(request: TakeRequest): Promise<Permit>;
}

export interface RequestGateOptions {
  database: Database;
  /** until Bitbucket's headers state others; default none */
  limits?: RequestLimits;
  /** length of the rolling window; default an hour. Buckets scale with it */
  windowMs?: number;
  /** told of every permit, for metrics */
  onTaken?: (taken: Window & { asker: Asker; waitedMs: number }) => void;
}

const HOUR_MS = 3_600_000;
/** A wait lasts up to 20 seconds, and a pause is promised to hold within a few. */
const ASK_EVERY_MS = 1_000;

/** A gate over the windows in Postgres, which all workers share. */
export function createRequestGate(options: RequestGateOptions): RequestGate {
  const { database, limits = {}, windowMs = HOUR_MS, onTaken } = options;

  function permitOf(taken: TakeAnswer & { due_at: string }, request: TakeRequest, endsMs: number): Permit {
    const { accountKey, group, asker = BACKGROUND, requests = 1 } = request;
    const common = {
      accountKey,
      group,
      consumer: asker.consumer,
      waiter: asker.waiter,
      requests,
      observedAt: taken.observed_at,
      dueAt: taken.due_at,
      probing: taken.probing,
    };
    const withoutAnswer = async (outcome: 'failed' | 'unsent'): Promise<void> => {
      const stated = { limit: null, remaining: null, nearLimit: null };
      await database.statement((tx) => answerRequest(tx, { ...common, outcome, waitSeconds: null, stated }));
    };
    return {
      observedAt: taken.observed_at,
      probing: taken.probing,
      leftMs: () => endsMs - performance.now(),
      async answered({ status, headers }) {
        const blockedUntil = await database.statement((tx) =>
          answerRequest(tx, {
            ...common,
            outcome: status === 429 ? 'refused' : status >= 500 ? 'failed' : 'answered',
            waitSeconds: status === 429 ? (retryAfterSeconds(headers) ?? null) : null,
            stated: statedLimits(headers),
          }),
        );
        return blockedUntil === null ? {} : { blockedUntil };
      },
      failed: () => withoutAnswer('failed'),
      unsent: () => withoutAnswer('unsent'),
    };
  }

  return {
    async take(request) {
      const { accountKey, group, asker = BACKGROUND, requests = 1, deadlineMs, signal, onWait } = request;
      const patienceEndsMs = performance.now() + request.maxWaitMs;
      const beganMs = performance.now();
      for (;;) {
        signal.throwIfAborted();
        // Counted from before the statement: Postgres begins later, so the permit never outlives its entry.
        const endsMs = performance.now() + deadlineMs;
        const taken = await database.statement((tx) =>
          takeRequest(tx, {
            accountKey,
            group,
            ...asker,
            requests,
            defaultLimit: limits[group] ?? null,
            windowMs,
            deadlineMs,
          }),
        );
        if (taken.granted && taken.due_at !== null) {
          const permit = permitOf({ ...taken, due_at: taken.due_at }, request, endsMs);
          if (permit.leftMs() > 0) {
            onTaken?.({
              accountKey,
              group,
              asker,
              waitedMs: Math.max(taken.waited_ms, performance.now() - beganMs),
            });
            return permit;
          }
          // This process was frozen over its deadline: the entry may be gone already.
          await permit.unsent();
          continue;
        }
        const until = taken.come_at ?? new Date(Date.now() + 60_000).toISOString();
        if (performance.now() + taken.wait_ms > patienceEndsMs) throw limited(until, taken.why);
        onWait?.(until);
        await wait(taken.wait_ms, request);
      }
    },
  };
}

/** Throws NotWanted before the time is over, or at its end, so that what nobody wants any more is not taken then. */
async function wait(waitMs: number, { signal, stillWanted }: TakeRequest): Promise<void> {
  const endsMs = performance.now() + waitMs;
  do {
    const leftMs = Math.max(1, endsMs - performance.now());
    await sleep(stillWanted === undefined ? leftMs : Math.min(leftMs, ASK_EVERY_MS), undefined, { signal });
    if (stillWanted !== undefined && !(await stillWanted())) throw new NotWanted();
  } while (performance.now() < endsMs);
}

const SAYS: Record<NonNullable<TakeAnswer['why']>, string> = {
  used_up: USED_UP,
  refused: REFUSED,
  failing: FAILING,
};

function limited(until: string, why: TakeAnswer['why']): RateLimited {
  return new RateLimited({ until, why: SAYS[why ?? 'refused'], finding: rateLimitedFinding(until) });
}
