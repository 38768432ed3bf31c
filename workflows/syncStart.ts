import { summary } from './details.ts';
import { syncRepositoryWorkflowId } from './ids.ts';
import type { SyncRepositoryInput } from './inputs.ts';
import { changed } from './messages.ts';
import { priorityOf } from './priority.ts';
import { INTEGRATION_ID, ORGANIZATION_ID, REPOSITORY_ID } from './searchAttributes.ts';
import type { Service, SyncTrigger } from './words.ts';

/** A repository that may have changed, and in what. */
export interface SyncHint extends SyncRepositoryInput {
  services: Service[];
  by: SyncTrigger;
}

/**
 * What `signalWithStart('syncRepository', …)` is given, whoever has the hint: the api, the relay or a poll round. Where a
 * run is there the signal reaches it, and the rest says nothing.
 */
export function syncStart({ services, by, ...input }: SyncHint, taskQueue: string) {
  const { organizationId, integrationId, repositoryId, fullName } = input;
  const args: [SyncRepositoryInput] = [input];
  const signalArgs: [{ services: Service[]; by: SyncTrigger }] = [{ services, by }];
  return {
    workflowId: syncRepositoryWorkflowId(repositoryId),
    taskQueue,
    args,
    signal: changed,
    signalArgs,
    priority: priorityOf('sync', integrationId),
    staticSummary: summary(`Keep ${fullName} up to date`),
    typedSearchAttributes: [
      { key: ORGANIZATION_ID, value: organizationId },
      { key: INTEGRATION_ID, value: integrationId },
      { key: REPOSITORY_ID, value: repositoryId },
    ],
  };
}
