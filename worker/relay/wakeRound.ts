import type { Database } from '../../db/client.ts';
import { type Settled, settleDeliveries, takeWakes, type WakeKey } from '../../db/queries/webhookRelay.ts';
import type { Logger } from '../../platform/log.ts';
import { byOrganization } from './byOrganization.ts';
import type { RelayMetrics } from './relayMetrics.ts';
import type { Wake, WakeBuffer } from './wakeBuffer.ts';
import type { Waker } from './waker.ts';

export interface WakeRoundOptions {
  database: Database;
  waker: Waker;
  buffer: WakeBuffer;
  log: Logger;
  metrics: RelayMetrics;
}

export interface WakeRound {
  /** Wakes what is in the buffer and may be woken now. How many wakes Temporal accepted, and how many failed. */
  (): Promise<{ accepted: number; failed: number }>;
  /** Gives back everything in the buffer, for others to take up at once. */
  giveBack(): Promise<void>;
}

/** One wake a repository and second, one discovery an integration and minute: over all workers. */
const REPOSITORY_EVERY_MS = 1_000;
const DISCOVERY_EVERY_MS = 60_000;
/** When a hint is looked at again that could not be handed on now: Temporal failed, or a discovery is not to begin yet. */
const AGAIN_SECONDS = 10;
/** The same where another worker woke the repository within the second. */
const SOON_SECONDS = 1;
const AT_ONCE = 50;

/** Sends wakes to Temporal, and marks the deliveries of those that it accepted. */
export function createWakeRound({ database, waker, buffer, log, metrics }: WakeRoundOptions): WakeRound {
  /** Those of the wakes that are granted now. Another worker may have woken a repository a moment ago. */
  async function granted(wakes: readonly Wake[]): Promise<Wake[]> {
    const may: Wake[] = [];
    for (const [organizationId, those] of byOrganization(wakes)) {
      const [discoveries, repositories] = apart(those);
      const taken = await database.transaction(organizationId, async (tx) => [
        ...(await takeWakes(tx, repositories.map(keyOf), REPOSITORY_EVERY_MS)),
        ...(await takeWakes(tx, discoveries.map(keyOf), DISCOVERY_EVERY_MS)),
      ]);
      const keys = new Set(taken.map(asText));
      may.push(...those.filter((wake) => keys.has(asText(keyOf(wake)))));
    }
    return may;
  }

  async function send(wake: Wake): Promise<'accepted' | 'later' | 'failed'> {
    const { organizationId, integrationId, repository, services, lookUp } = wake;
    try {
      if (repository === null)
        return (await waker.discover({ organizationId, integrationId, lookUp })) ? 'accepted' : 'later';
      const { id: repositoryId, fullName } = repository;
      await waker.sync({ organizationId, integrationId, repositoryId, fullName, services, by: 'webhook' });
      return 'accepted';
    } catch (error) {
      log.warn(
        { error, integration_id: integrationId, repository_id: repository?.id },
        'Temporal did not take a wake',
      );
      return 'failed';
    }
  }

  async function finish(wakes: readonly Wake[]): Promise<void> {
    for (const [organizationId, those] of byOrganization(wakes)) {
      const deliveries = settled(those, 'woken');
      await database.transaction(organizationId, (tx) => settleDeliveries(tx, deliveries));
      metrics.count('woken', deliveries.length);
    }
  }

  async function release(wakes: readonly Wake[], waitSeconds: number): Promise<void> {
    for (const [organizationId, those] of byOrganization(wakes)) {
      const deliveries = settled(those, null);
      await database.transaction(organizationId, (tx) => settleDeliveries(tx, deliveries, waitSeconds));
    }
  }

  /** Sends fifty at a time, until one group fails as a whole: then the others would wait for the same in vain. */
  async function sendAll(wakes: readonly Wake[]): Promise<Record<'accepted' | 'later' | 'failed', Wake[]>> {
    const sorted: Record<'accepted' | 'later' | 'failed', Wake[]> = { accepted: [], later: [], failed: [] };
    for (let start = 0; start < wakes.length; start += AT_ONCE) {
      const group = wakes.slice(start, start + AT_ONCE);
      const outcomes = await Promise.all(group.map(send));
      for (const [index, outcome] of outcomes.entries())
        sorted[outcome].push(...group.slice(index, index + 1));
      if (outcomes.every((outcome) => outcome === 'failed')) {
        sorted.failed.push(...wakes.slice(start + AT_ONCE));
        break;
      }
    }
    return sorted;
  }

  async function wakeRound(): Promise<{ accepted: number; failed: number }> {
    const due = buffer.takeDue(performance.now());
    if (due.length === 0) return { accepted: 0, failed: 0 };
    const now = await granted(due);
    const { accepted, later, failed } = await sendAll(now);
    for (const wake of accepted) buffer.holdBack(wake, performance.now() + REPOSITORY_EVERY_MS);
    await finish(accepted);
    const refused = new Set(due);
    for (const wake of now) refused.delete(wake);
    const [discoveries, repositories] = apart([...refused]);
    await release([...later, ...failed, ...discoveries], AGAIN_SECONDS);
    await release(repositories, SOON_SECONDS);
    return { accepted: accepted.length, failed: failed.length };
  }

  return Object.assign(wakeRound, { giveBack: () => release(buffer.clear(), 0) });
}

const settled = (wakes: readonly Wake[], outcome: Settled['outcome']): Settled[] =>
  wakes.flatMap(({ deliveries }) => deliveries.map((held) => ({ ...held, outcome, reason: null })));

/** Discoveries, and syncs of repositories. */
const apart = (wakes: readonly Wake[]): [Wake[], Wake[]] => [
  wakes.filter(({ repository }) => repository === null),
  wakes.filter(({ repository }) => repository !== null),
];
const keyOf = ({ integrationId, repository }: Wake): WakeKey => ({
  integrationId,
  repositoryId: repository?.id ?? null,
});
const asText = ({ integrationId, repositoryId }: WakeKey): string => `${integrationId} ${repositoryId}`;
