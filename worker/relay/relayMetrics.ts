import { Counter, type Registry } from 'prom-client';

export interface RelayMetrics {
  /** `outcome`: `woken`, or why it was ignored */
  count(outcome: string, deliveries: number): void;
}

/** Deliveries of this worker's relay by what became of them. */
export function createRelayMetrics(registry: Registry | undefined): RelayMetrics {
  if (registry === undefined) return { count: () => {} };
  const deliveries = new Counter({
    name: 'webhook_deliveries_total',
    help: 'Webhook deliveries handed on by this worker, by outcome: woken, or why they were ignored.',
    labelNames: ['outcome'],
    registers: [registry],
  });
  return { count: (outcome, count) => deliveries.inc({ outcome }, count) };
}
