import { setTimeout as sleep } from 'node:timers/promises';
import type { Database } from '../../db/client.ts';
import { endRefusal, noteRefusal, takeRequest } from '../../db/queries/requestLimits.ts';
import { retryAfterSeconds } from './answerHeaders.ts';
import { RateLimited } from './errors.ts';
import { rateLimitedFinding } from './findings.ts';
import type { LimitGroup } from './client.ts';

interface Budget {
  /** limits count per user, over all of that user's credentials (facts 4.3) */
  accountKey: string;
  group: LimitGroup;
}

export interface Permit extends Budget {
  /** Postgres' clock, ISO with microseconds */
  observedAt: string;
  /** after a refusal one request at a time finds out whether the limit still holds */
  probing: boolean;
}

/** The seam of the request budget: every API request is taken here before it is sent, and its answer reported. */
export interface RequestGate {
  /**
   * Waits up to `maxWaitMs` for a limit to pass, then gives the permit; throws RateLimited when it takes longer, and the
   * signal's reason when aborted. One short statement each time, no lock while the request is under way.
   */
  take(
    request: Budget & { signal: AbortSignal; maxWaitMs: number; onWait?: (until: string) => void },
  ): Promise<Permit>;
  /** For a 429: the ISO time from which requests may go again. */
  answered(answer: { permit: Permit; status: number; headers: Headers }): Promise<{ blockedUntil?: string }>;
}

export interface RequestGateOptions {
  database: Database;
  /** how long a probe keeps the others waiting when its sender dies: the client's deadline */
  probeSeconds?: number;
}

/** A gate that knows only what Bitbucket's 429 answers said, shared by all workers through Postgres. */
export function createRequestGate({ database, probeSeconds = 60 }: RequestGateOptions): RequestGate {
  return {
    async take({ accountKey, group, signal, maxWaitMs, onWait }) {
      const patienceEndsMs = performance.now() + maxWaitMs;
      for (;;) {
        const taken = await database.withoutTenant((tx) =>
          takeRequest(tx, { accountKey, group, probeSeconds }),
        );
        if (taken.blocked_until === null) {
          return { accountKey, group, observedAt: taken.observed_at, probing: taken.probing };
        }
        if (performance.now() + taken.wait_ms > patienceEndsMs) throw limited(taken.blocked_until);
        onWait?.(taken.blocked_until);
        await sleep(taken.wait_ms, undefined, { signal });
      }
    },

    async answered({ permit, status, headers }) {
      const { accountKey, group, observedAt } = permit;
      if (status === 429) {
        const waitSeconds = retryAfterSeconds(headers) ?? null;
        const blockedUntil = await database.withoutTenant((tx) =>
          noteRefusal(tx, { accountKey, group, observedAt, waitSeconds }),
        );
        return { blockedUntil };
      }
      if (permit.probing) {
        await database.withoutTenant((tx) => endRefusal(tx, { accountKey, group, observedAt }));
      }
      return {};
    },
  };
}

function limited(until: string): RateLimited {
  return new RateLimited({ until, why: 'rate_limited', finding: rateLimitedFinding(until) });
}
