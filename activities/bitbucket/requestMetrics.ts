import { Counter, Gauge, type Registry } from 'prom-client';
import type { Database } from '../../db/client.ts';
import { type AllowanceWindow, readWindows } from '../../db/queries/allowance.ts';
import type { LimitGroup } from '../../platform/requestLimits.ts';
import type { Asker } from './asker.ts';
import { endpointOf } from './endpoint.ts';
import { createUsefulAnswers, type SentRequest, type UsefulAnswers } from './usefulAnswers.ts';

/** What became of one request, in the words of a label. */
export type Outcome = 'ok' | 'unchanged' | 'redirected' | 'limited' | 'refused' | 'failed' | 'no_answer';

export interface RequestMetrics {
  onAnswer: (answer: SentRequest & { path: string }) => void;
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
 * Requests of this process by endpoint (route pattern, never a path) and outcome, what they waited for, and which of them
 * were of use. The windows are read from Postgres at each scrape: all workers show the same, so take their maximum.
 */
export function createRequestMetrics(
  registry: Registry,
  { database, windowMs }: { database: Database; windowMs: number },
): RequestMetrics {
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
  const useful = createUsefulAnswers({ windowMs });
  addUsefulGauge(registry, useful);
  addWindowGauges(registry, () => database.statement((tx) => readWindows(tx)), useful);

  return {
    onAnswer(answer) {
      requests.inc({ endpoint: endpointOf(answer.path), outcome: outcomeOf(answer.status) });
      useful.note(answer);
    },
    onTaken({ group, asker, waitedMs }) {
      waited.inc({ limit_group: group, goes_first: String(asker.goesFirst) }, waitedMs / 1_000);
    },
  };
}

function addUsefulGauge(registry: Registry, useful: UsefulAnswers): void {
  registry.registerMetric(
    new Gauge({
      name: 'bitbucket_requests_useful_ratio',
      help: 'Share of the requests sent by this worker in the last window that brought something: not refused, failed, unchanged or repeated.',
      labelNames: ['account', 'limit_group'],
      registers: [],
      collect() {
        this.reset();
        for (const { accountKey, group, sent, useful: brought } of useful.all()) {
          this.set({ account: accountKey, limit_group: group }, brought / sent);
        }
      },
    }),
  );
}

function addWindowGauges(
  registry: Registry,
  read: () => Promise<AllowanceWindow[]>,
  useful: UsefulAnswers,
): void {
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
  add(
    'bitbucket_allowance_useful_ratio',
    'Useful requests that this worker sent in the last window, as a share of the limit without the reserve: add up the workers.',
    (window) =>
      window.limit === null
        ? null
        : (useful.of(window)?.useful ?? 0) / Math.max(1, window.limit - window.reserve),
  );
}
