import { summary } from './details.ts';
import { quarantineRetryWorkflowId } from './ids.ts';
import type { RetryQuarantineInput } from './inputs.ts';
import { INTEGRATION_ID, ORGANIZATION_ID } from './searchAttributes.ts';

/** A retry of quarantined records, and what its integration is called. */
export interface QuarantineRetry extends RetryQuarantineInput {
  name: string | null;
}

/** What `start('retryQuarantine', …)` is given, whoever starts it: the api, or the sweep. The same retry twice is one run. */
export function quarantineRetryStart({ name, ...input }: QuarantineRetry, taskQueue: string) {
  const args: [RetryQuarantineInput] = [input];
  return {
    workflowId: quarantineRetryWorkflowId(input.retryId),
    taskQueue,
    args,
    workflowIdConflictPolicy: 'USE_EXISTING' as const,
    staticSummary: summary(`Quarantine, again – ${name ?? 'draft'}`),
    typedSearchAttributes: [
      { key: ORGANIZATION_ID, value: input.organizationId },
      { key: INTEGRATION_ID, value: input.integrationId },
    ],
  };
}
