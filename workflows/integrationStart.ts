import { summary } from './details.ts';
import { integrationWorkflowId } from './ids.ts';
import type { IntegrationInput, IntegrationSnapshot } from './messages.ts';
import { INTEGRATION_ID, ORGANIZATION_ID } from './searchAttributes.ts';

/**
 * What a run of `integration` is started with by a command that finds none, whoever has the command: the api, or the sweep.
 * One whose run completed was removed: it is not started again.
 */
export function integrationStart(snapshot: IntegrationSnapshot, taskQueue: string) {
  const { organizationId, integrationId, name } = snapshot;
  const args: [IntegrationInput] = [{ snapshot }];
  return {
    workflowId: integrationWorkflowId(integrationId),
    taskQueue,
    args,
    workflowIdConflictPolicy: 'USE_EXISTING' as const,
    workflowIdReusePolicy: 'ALLOW_DUPLICATE_FAILED_ONLY' as const,
    staticSummary: summary(`Integration – ${name ?? 'draft'}`),
    typedSearchAttributes: [
      { key: ORGANIZATION_ID, value: organizationId },
      { key: INTEGRATION_ID, value: integrationId },
    ],
  };
}
