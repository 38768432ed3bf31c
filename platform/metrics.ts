import { collectDefaultMetrics, Registry } from 'prom-client';

export interface MetricsOptions {
  /** `api` or `worker`: a label on everything */
  service: string;
  /** memory, event loop and file handles of the process too; once a process */
  process?: boolean;
}

/** A registry of its own (prom-client's global one is shared by everything in a process, tests too). */
export function createMetrics(options: MetricsOptions): Registry {
  const registry = new Registry();
  registry.setDefaultLabels({ service: options.service });
  if (options.process === true) collectDefaultMetrics({ register: registry });
  return registry;
}
