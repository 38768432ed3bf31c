import { ParentClosePolicy, startChild } from '@temporalio/workflow';
import { summary } from './details.ts';
import { priorityOf } from './priority.ts';
import { INTEGRATION_ID, ORGANIZATION_ID } from './searchAttributes.ts';
import { startOnce } from './startOnce.ts';

export interface Ids {
  organizationId: string;
  integrationId: string;
}

/** Starts what an integration has one run of, as a run that outlives its starter; one that runs already is as good. */
export async function startOwnRun(
  { organizationId, integrationId }: Ids,
  {
    workflow,
    workflowId,
    saying,
  }: { workflow: (ids: Ids) => Promise<void>; workflowId: string; saying: string },
): Promise<void> {
  await startOnce(() =>
    startChild(workflow, {
      workflowId,
      parentClosePolicy: ParentClosePolicy.ABANDON,
      priority: priorityOf('discovery', integrationId),
      staticSummary: summary(saying),
      typedSearchAttributes: [
        { key: ORGANIZATION_ID, value: organizationId },
        { key: INTEGRATION_ID, value: integrationId },
      ],
      args: [{ organizationId, integrationId }],
    }),
  );
}
