import { webhooksWorkflowId } from './ids.ts';
import { keepWebhooks } from './keepWebhooks.ts';
import { type Ids, startOwnRun } from './startOwnRun.ts';

/** Starts the run of webhooks that was lost: an operator ended it, or Temporal's store was lost. */
export const keepWebhooksAgain = (ids: Ids): Promise<void> =>
  startOwnRun(ids, {
    workflow: keepWebhooks,
    workflowId: webhooksWorkflowId(ids.integrationId),
    saying: 'Keep webhooks – their run was lost',
  });
