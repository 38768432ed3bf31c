import { type Client, WithStartWorkflowOperation, WorkflowUpdateStage } from '@temporalio/client';
import { createRunLookup } from '../activities/runs.ts';
import type { Database } from '../db/client.ts';
import { selectIntegration } from '../db/queries/integrations.ts';
import type { Left } from '../db/queries/overdueRows.ts';
import * as queries from '../db/queries/unbegun.ts';
import type { Logger } from '../platform/log.ts';
import { importWorkflowId } from '../workflows/ids.ts';
import { integrationStart } from '../workflows/integrationStart.ts';
import { reviveImport } from '../workflows/messages.ts';
import { quarantineRetryStart } from '../workflows/quarantineRetryStart.ts';

export interface BeginUnbegunOptions {
  database: Database;
  client: Client;
  /** of the workflows */
  taskQueue: string;
  log: Logger;
  /** asked before each: nobody may be left to accept it */
  isStopped?: () => boolean;
}

/** Accepted in milliseconds, or Temporal is away. */
const DEADLINE_MS = 5_000;

/**
 * One pass over all tenants: begins what a request stored and no run has begun for two minutes, as the request said that it
 * may still be carried out. Nothing is told twice: what has a run that waits for a worker is left to it. How many were begun.
 */
export async function beginUnbegun(
  options: BeginUnbegunOptions,
): Promise<{ imports: number; retries: number }> {
  const { database, client, taskQueue, log, isStopped } = options;
  const isRunning = createRunLookup(client);

  async function beginImport({ organizationId, id: importId }: Left): Promise<boolean> {
    const found = await database.transaction(organizationId, async (tx) => {
      const unbegun = await queries.readUnbegunImport(tx, importId);
      const row = unbegun && (await selectIntegration(tx, unbegun.integrationId));
      return unbegun && row && { unbegun, row };
    });
    if (found === undefined || (await isRunning(importWorkflowId(importId)))) return false;
    const { integrationId, ...actor } = found.unbegun;
    const { connectedAccount: _, ...known } = found.row;
    const snapshot = { organizationId, integrationId, ...known };
    // The run of the integration may be lost too, and then the command starts it, as one of the api does.
    const startWorkflowOperation = new WithStartWorkflowOperation(
      'integration',
      integrationStart(snapshot, taskQueue),
    );
    startWorkflowOperation.workflowHandle().catch(() => {});
    await client.workflow.startUpdateWithStart(reviveImport, {
      startWorkflowOperation,
      args: [{ importId, actor }],
      waitForStage: WorkflowUpdateStage.ACCEPTED,
    });
    return true;
  }

  async function beginRetry({ organizationId, id: retryId }: Left): Promise<boolean> {
    const unbegun = await database.transaction(organizationId, (tx) => queries.readUnbegunRetry(tx, retryId));
    if (unbegun === undefined) return false;
    const retry = { organizationId, retryId, ...unbegun };
    await client.workflow.start('retryQuarantine', quarantineRetryStart(retry, taskQueue));
    return true;
  }

  /** One that cannot be begun keeps no other waiting. */
  async function each(left: Left[], begin: (one: Left) => Promise<boolean>): Promise<number> {
    let begun = 0;
    for (const one of left) {
      if (isStopped?.() === true) break;
      try {
        if (await client.withDeadline(Date.now() + DEADLINE_MS, () => begin(one))) begun += 1;
      } catch (error) {
        log.warn({ error, id: one.id }, 'What no run has begun could not be begun; tried again in a minute');
      }
    }
    return begun;
  }

  return {
    imports: await each(await database.withoutTenant(queries.selectUnbegunImports), beginImport),
    retries: await each(await database.withoutTenant(queries.selectUnbegunRetries), beginRetry),
  };
}
