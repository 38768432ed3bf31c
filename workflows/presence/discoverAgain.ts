import { discoverIntegration } from '../discoverIntegration.ts';
import { discoveryWorkflowId } from '../ids.ts';
import { type Ids, startOwnRun } from '../startOwnRun.ts';

/** Starts a discovery that is due, as a run of its own that outlives its starter; one that runs already is as good. */
export const discoverAgain = (ids: Ids): Promise<void> =>
  startOwnRun(ids, {
    workflow: discoverIntegration,
    workflowId: discoveryWorkflowId(ids.integrationId),
    saying: 'Discover workspaces and repositories – it is time to look again',
  });
