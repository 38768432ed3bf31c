import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import { ParentClosePolicy, startChild } from '@temporalio/workflow';
import { summary } from '../details.ts';
import { discoverIntegration } from '../discoverIntegration.ts';
import { discoveryWorkflowId } from '../ids.ts';
import { priorityOf } from '../priority.ts';
import { INTEGRATION_ID, ORGANIZATION_ID } from '../searchAttributes.ts';

/** Starts a discovery that is due, as a run of its own that outlives its starter; one that runs already is as good. */
export async function discoverAgain(ids: { organizationId: string; integrationId: string }): Promise<void> {
  const { organizationId, integrationId } = ids;
  try {
    await startChild(discoverIntegration, {
      workflowId: discoveryWorkflowId(integrationId),
      parentClosePolicy: ParentClosePolicy.ABANDON,
      priority: priorityOf('discovery', integrationId),
      staticSummary: summary('Discover workspaces and repositories – it is time to look again'),
      typedSearchAttributes: [
        { key: ORGANIZATION_ID, value: organizationId },
        { key: INTEGRATION_ID, value: integrationId },
      ],
      args: [{ organizationId, integrationId }],
    });
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
  }
}
