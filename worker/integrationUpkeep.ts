import { setTimeout as sleep } from 'node:timers/promises';
import { type Client, WorkflowExecutionAlreadyStartedError } from '@temporalio/client';
import { spacePolls, unschedulePolls } from '../activities/poll/schedule.ts';
import { createRunLookup } from '../activities/runs.ts';
import type { Database } from '../db/client.ts';
import { holdIntegration } from '../db/queries/discovery.ts';
import { selectIntegration } from '../db/queries/integrations.ts';
import { selectActiveIntegrations } from '../db/queries/poll/activeIntegrations.ts';
import type { OfIntegration } from '../db/queries/poll/scope.ts';
import type { Logger } from '../platform/log.ts';
import { integrationWorkflowId } from '../workflows/ids.ts';
import { integrationStart } from '../workflows/integrationStart.ts';

export interface UpkeepOptions {
  database: Database;
  client: Client;
  /** of the workflows */
  taskQueue: string;
  /** milliseconds between the begins of two rounds, as configured now; 0: none come by themselves */
  intervalMs: number;
  log: Logger;
}

/** So many integrations are looked at together: a worker that starts has other work. */
const AT_ONCE = 4;
const AGAIN_MS = 60_000;
const LATER_MS = 3_600_000;

/** How many runs were begun, how many schedules were made or changed, and how many integrations could not be looked at. */
export interface Kept {
  begun: number;
  changed: number;
  failed: number;
}

/**
 * Sees to it, when a worker starts and each hour from then on, that each active integration has its run, and its poll
 * schedule as configured now. An operator may have ended the one or deleted the other, or Temporal's store was lost: then
 * nobody would hear of a refused credential, or ask for changes, until somebody sends a command. And the run of an
 * integration makes the schedule when it becomes active, and does not learn that the interval is another one since. Tried
 * again each minute until all went well. Answers how to stop.
 */
export function startUpkeep(options: UpkeepOptions, laterMs = LATER_MS): () => Promise<void> {
  const { log } = options;
  const stop = new AbortController();
  const run = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      let restMs = AGAIN_MS;
      try {
        const { begun, changed, failed } = await keepIntegrations(options, () => stop.signal.aborted);
        if (begun > 0) log.info({ runs: begun }, 'Runs of integrations that were lost were begun again');
        if (changed > 0) log.info({ schedules: changed }, 'Poll schedules were made as configured');
        if (failed === 0) restMs = laterMs;
      } catch (error) {
        log.warn({ error }, 'Active integrations could not be looked at; tried again in a minute');
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

/** One pass over the active integrations of all tenants. */
export async function keepIntegrations(
  options: UpkeepOptions,
  isStopped = (): boolean => false,
): Promise<Kept> {
  const { database, log } = options;
  const kept: Kept = { begun: 0, changed: 0, failed: 0 };
  let after: string | null = null;
  do {
    const page = { after, limit: AT_ONCE };
    const integrations: OfIntegration[] = await database.withoutTenant((tx) =>
      selectActiveIntegrations(tx, page),
    );
    await Promise.all(
      integrations.map(async (integration) => {
        try {
          if (await beginLostRun(integration, options)) kept.begun += 1;
          if (await spacePollsOf(integration, options)) kept.changed += 1;
        } catch (error) {
          kept.failed += 1;
          log.warn(
            { error, integration_id: integration.integrationId },
            'An integration could not be given its run and its poll schedule; tried again in a minute',
          );
        }
      }),
    );
    after = integrations.at(-1)?.integrationId ?? null;
  } while (after !== null && !isStopped());
  return kept;
}

async function beginLostRun(
  integration: OfIntegration,
  { database, client, taskQueue }: UpkeepOptions,
): Promise<boolean> {
  const { organizationId, integrationId } = integration;
  if (await createRunLookup(client)(integrationWorkflowId(integrationId))) return false;
  const row = await database.transaction(organizationId, (tx) => selectIntegration(tx, integrationId));
  if (row?.state !== 'active') return false;
  const { connectedAccount: _, ...known } = row;
  try {
    await client.workflow.start('integration', integrationStart({ ...integration, ...known }, taskQueue));
    return true;
  } catch (error) {
    // It was removed since the look.
    if (error instanceof WorkflowExecutionAlreadyStartedError) return false;
    throw error;
  }
}

async function spacePollsOf(
  integration: OfIntegration,
  { database, client, taskQueue, intervalMs }: UpkeepOptions,
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
