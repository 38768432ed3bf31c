import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import { spacePolls, unschedulePolls } from '../activities/poll/schedule.ts';
import type { Database } from '../db/client.ts';
import { holdIntegration } from '../db/queries/discovery.ts';
import { selectIntegration } from '../db/queries/integrations.ts';
import { selectActiveIntegrations } from '../db/queries/poll/activeIntegrations.ts';
import type { OfIntegration } from '../db/queries/poll/scope.ts';
import type { Logger } from '../platform/log.ts';

export interface SpacingOptions {
  database: Database;
  client: Client;
  /** of the workflows */
  taskQueue: string;
  /** milliseconds between the begins of two rounds, as configured now; 0: none come by themselves */
  intervalMs: number;
  log: Logger;
}

/** So many schedules are looked at together: a worker that starts has other work. */
const AT_ONCE = 4;
const AGAIN_MS = 60_000;
const LATER_MS = 3_600_000;

/**
 * Sees to it, when a worker starts and each hour from then on, that the poll schedules of active integrations are as
 * configured now. The run of an integration makes its schedule when it becomes active, and does not learn that the interval
 * is another one since, that an operator deleted it, or that Temporal's store was lost. Tried again each minute until all
 * went well. Answers how to stop.
 */
export function startSpacingPolls(options: SpacingOptions, laterMs = LATER_MS): () => Promise<void> {
  const { log } = options;
  const stop = new AbortController();
  const run = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      let restMs = AGAIN_MS;
      try {
        const { changed, failed } = await spaceAllPolls(options, () => stop.signal.aborted);
        if (changed > 0) log.info({ schedules: changed }, 'Poll schedules were made as configured');
        if (failed === 0) restMs = laterMs;
      } catch (error) {
        log.warn({ error }, 'Poll schedules could not be looked at; tried again in a minute');
      }
      await sleep(restMs, undefined, { signal: stop.signal }).catch(() => {});
    }
  };
  const running = run();
  return () => {
    stop.abort();
    return running;
  };
}

/** One pass over the active integrations of all tenants: how many schedules were made or changed, and how many could not be. */
export async function spaceAllPolls(
  options: SpacingOptions,
  isStopped = (): boolean => false,
): Promise<{ changed: number; failed: number }> {
  const { database, log } = options;
  const done = { changed: 0, failed: 0 };
  let after: string | null = null;
  do {
    const page = { after, limit: AT_ONCE };
    const integrations: OfIntegration[] = await database.withoutTenant((tx) =>
      selectActiveIntegrations(tx, page),
    );
    await Promise.all(
      integrations.map(async (integration) => {
        try {
          if (await spacePollsOf(integration, options)) done.changed += 1;
        } catch (error) {
          done.failed += 1;
          log.warn(
            { error, integration_id: integration.integrationId },
            'A poll schedule could not be made as configured; tried again in a minute',
          );
        }
      }),
    );
    after = integrations.at(-1)?.integrationId ?? null;
  } while (after !== null && !isStopped());
  return done;
}

async function spacePollsOf(
  integration: OfIntegration,
  { database, client, taskQueue, intervalMs }: SpacingOptions,
): Promise<boolean> {
  const { organizationId, integrationId } = integration;
  if (intervalMs === 0) return unschedulePolls(client, integrationId);
  const row = await database.transaction(organizationId, (tx) => selectIntegration(tx, integrationId));
  if (row?.state !== 'active') return false;
  const { name } = row;
  const changed = await spacePolls(client, { ...integration, taskQueue, name, active: true, intervalMs });
  // Whoever removes it has deleted the schedule before, or does not know of this one.
  const isKept = await database.transaction(organizationId, (tx) => holdIntegration(tx, integration));
  if (!isKept) await unschedulePolls(client, integrationId);
  return changed;
}
