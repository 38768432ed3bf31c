import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import {
  disconnectWorkflowId,
  importRepositoryWorkflowId,
  integrationWorkflowId,
  syncRepositoryWorkflowId,
} from '../../workflows/ids.ts';
import type { Removal } from '../../workflows/contracts/removal.ts';
import { INTEGRATION_ID } from '../../workflows/searchAttributes.ts';
import { unschedulePolls } from '../poll/schedule.ts';
import { createRunLookup } from '../runs.ts';

/** What a removal asks of Temporal. */
export interface RunControl {
  /** Ids of the runs that work for what is removed, without the removal's own and without the integration's. */
  running(removal: Removal): Promise<string[]>;
  /** Asks a run to end; one that has is fine. */
  cancel(workflowId: string): Promise<void>;
  terminate(workflowId: string, reason: string): Promise<void>;
  /** Deletes the schedule of an integration's poll rounds; none is fine. */
  deleteSchedule(integrationId: string): Promise<void>;
}

export function createRunControl(client: Client): RunControl {
  const isRunning = createRunLookup(client);

  /** Temporal's list is a moment behind: who is in it is asked. One that is not yet in it is fenced by the rows. */
  async function candidates({ integrationId, repositoryId }: Removal): Promise<string[]> {
    if (repositoryId !== undefined) {
      return [importRepositoryWorkflowId(repositoryId), syncRepositoryWorkflowId(repositoryId)];
    }
    const own = [integrationWorkflowId(integrationId), disconnectWorkflowId(integrationId)];
    const query = `${INTEGRATION_ID.name} = '${integrationId}' and ExecutionStatus = 'Running'`;
    const ids = new Set<string>();
    for await (const { workflowId } of client.workflow.list({ query })) ids.add(workflowId);
    return [...ids].filter((id) => !own.includes(id));
  }

  async function unlessGone(ask: () => Promise<unknown>): Promise<void> {
    try {
      await ask();
    } catch (error) {
      if (!(error instanceof WorkflowNotFoundError)) throw error;
    }
  }

  return {
    async running(removal) {
      const ids = await candidates(removal);
      const running = await Promise.all(ids.map((id) => isRunning(id)));
      return ids.filter((_, at) => running[at] === true);
    },
    cancel: (workflowId) => unlessGone(() => client.workflow.getHandle(workflowId).cancel()),
    terminate: (workflowId, reason) =>
      unlessGone(() => client.workflow.getHandle(workflowId).terminate(reason)),
    deleteSchedule: async (integrationId) => void (await unschedulePolls(client, integrationId)),
  };
}
