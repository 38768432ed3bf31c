import { Counter, Gauge, type Registry } from 'prom-client';
import type { Database } from '../../db/client.ts';
import { type AllowanceWindow, readWindows } from '../../db/queries/allowance.ts';
import type { LimitGroup } from '../../platform/requestLimits.ts';
import type { Asker } from './asker.ts';
import { endpointOf } from './endpoint.ts';

/** What became of one request, in the words of a label. */
export type Outcome = 'ok' | 'unchanged' | 'redirected' | 'limited' | 'refused' | 'failed' | 'no_answer';

export interface RequestMetrics {
  /** `status` null: no answer came */
  onAnswer: (answer: { path: string; status: number | null }) => void;
  onTaken: (taken: { group: LimitGroup; asker: Asker; waitedMs: number }) => void;
}

export function outcomeOf(status: number | null): Outcome {
  if (status === null) return 'no_answer';
  if (status === 304) return 'unchanged';
  if (status === 429) return 'limited';
  if (status >= 500) return 'failed';
  if (status >= 400) return 'refused';
  return status >= 300 ? 'redirected' : 'ok';
}

/**
 * Requests of this process by endpoint (route pattern, never a path) and outcome, and what they waited for. The windows
 * are read from Postgres at each scrape: all workers show the same, so take their maximum.
 */
export function createRequestMetrics(registry: Registry, database: Database): RequestMetrics {
  const registers = [registry];
  const requests = new Counter({
    name: 'bitbucket_requests_total',
    help: 'API requests sent by this worker, by endpoint and outcome.',
    labelNames: ['endpoint', 'outcome'],
    registers,
  });
  const waited = new Counter({
    name: 'bitbucket_allowance_waited_seconds_total',
    help: 'Time that requests sent by this worker had waited for the allowance, by limit group.',
    labelNames: ['limit_group', 'goes_first'],
    registers,
  });
  addWindowGauges(registry, () => database.statement((tx) => readWindows(tx)));

  return {
    onAnswer({ path, status }) {
      requests.inc({ endpoint: endpointOf(path), outcome: outcomeOf(status) });
    },
    onTaken({ group, asker, waitedMs }) {
      waited.inc({ limit_group: group, goes_first: String(asker.goesFirst) }, waitedMs / 1_000);
    },
  };
}

function addWindowGauges(registry: Registry, read: () => Promise<AllowanceWindow[]>): void {
  let reading: Promise<AllowanceWindow[]> | undefined;
  /** All gauges of a scrape ask at once: one query for them. */
  const windows = (): Promise<AllowanceWindow[]> => {
    reading ??= read().finally(() => (reading = undefined));
    return reading;
  };
  const add = (name: string, help: string, valueOf: (window: AllowanceWindow) => number | null): void => {
    registry.registerMetric(
      new Gauge({
        name,
        help,
        labelNames: ['account', 'limit_group'],
        registers: [],
        async collect() {
          const found = await windows();
          this.reset();
          for (const window of found) {
            const value = valueOf(window);
            if (value !== null) this.set({ account: window.accountKey, limit_group: window.group }, value);
          }
        },
      }),
    );
  };
  add(
    'bitbucket_allowance_remaining',
    'Requests that an account may still make in the rolling window, without the reserve.',
    ({ limit, reserve, used }) => (limit === null ? null : Math.max(0, limit - reserve - used)),
  );
  add(
    'bitbucket_allowance_used_share',
    'Requests in the rolling window, as a share of the limit without the reserve.',
    ({ limit, reserve, used }) => (limit === null ? null : used / Math.max(1, limit - reserve)),
  );
  add(
    'bitbucket_allowance_blocked_seconds',
    'How long from now Bitbucket refuses everything of this account.',
    ({ blockedSeconds }) => blockedSeconds,
  );
}
