import { type Client, WorkflowExecutionAlreadyStartedError } from '@temporalio/client';
import { summary } from '../../workflows/details.ts';
import { discoveryWorkflowId, lookUpWorkflowId } from '../../workflows/ids.ts';
import type { DiscoverIntegrationInput } from '../../workflows/inputs.ts';
import { priorityOf } from '../../workflows/priority.ts';
import { INTEGRATION_ID, ORGANIZATION_ID } from '../../workflows/searchAttributes.ts';
import { type SyncHint, syncStart } from '../../workflows/syncStart.ts';

/** What the relay asks of Temporal. Each call ends within a bounded time, and throws when it was not accepted. */
export interface Waker {
  /** Tells the repository's sync, which is started where there is none. */
  sync(hint: SyncHint): Promise<void>;
  /**
   * Starts a discovery of everything, or (`lookUp`) looks these repositories up by their uuids. False: a run of that kind is
   * there, and may have passed what changed.
   */
  discover(integration: {
    organizationId: string;
    integrationId: string;
    lookUp: string[] | null;
  }): Promise<boolean>;
}

/** Accepted in milliseconds, or Temporal is away. */
const DEADLINE_MS = 5_000;

export function createWaker({ client, taskQueue }: { client: Client; taskQueue: string }): Waker {
  const bounded = <T>(call: () => Promise<T>): Promise<T> =>
    client.withDeadline(Date.now() + DEADLINE_MS, call);

  return {
    async sync(hint) {
      await bounded(() => client.workflow.signalWithStart('syncRepository', syncStart(hint, taskQueue)));
    },

    async discover({ organizationId, integrationId, lookUp }) {
      const input: DiscoverIntegrationInput = {
        organizationId,
        integrationId,
        ...(lookUp === null ? {} : { lookUp }),
      };
      try {
        await bounded(() =>
          client.workflow.start('discoverIntegration', {
            workflowId:
              lookUp === null ? discoveryWorkflowId(integrationId) : lookUpWorkflowId(integrationId),
            taskQueue,
            args: [input],
            priority: priorityOf('discovery', integrationId),
            staticSummary: summary(
              lookUp === null
                ? 'Discover workspaces and repositories – a webhook says they changed'
                : `Discover ${lookUp.length} repositories that a webhook says are new`,
            ),
            typedSearchAttributes: [
              { key: ORGANIZATION_ID, value: organizationId },
              { key: INTEGRATION_ID, value: integrationId },
            ],
          }),
        );
        return true;
      } catch (error) {
        if (error instanceof WorkflowExecutionAlreadyStartedError) return false;
        throw error;
      }
    },
  };
}
