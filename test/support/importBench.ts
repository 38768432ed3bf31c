import type { UpdateDefinition } from '@temporalio/common';
import { importRepositoryWorkflowId, importWorkflowId } from '../../workflows/ids.ts';
import type { importRepositories } from '../../workflows/importRepositories.ts';
import type { Actor } from '../../workflows/messages.ts';
import type { ImportTiming } from '../../workflows/timing.ts';
import type { TestTenant } from './integrationRows.ts';
import { waitFor } from './waitFor.ts';
import { actor } from './workflowBench.ts';
import type { WorkflowRun } from './workflows.ts';

/** A person's command takes effect within this time (issue 4: pause, resume, cancel). */
export const EFFECTIVE_MS = 5_000;

/**
 * The same when workers were stopped just before. A task of a workflow that is on its way to a worker that stops is lost
 * (docs/decisions/a-worker-that-stops.md) and comes again after its timeout of 10 s.
 */
export const EFFECTIVE_AFTER_STOP_MS = 10_000 + EFFECTIVE_MS;

/** Starts an import as the integration does, with short waits. */
export function startImportRun(
  run: WorkflowRun,
  tenant: TestTenant,
  importId: string,
  timing: Partial<ImportTiming> = {},
) {
  const { organizationId, integrationId } = tenant;
  return run.client.workflow.start<typeof importRepositories>('importRepositories', {
    workflowId: importWorkflowId(importId),
    taskQueue: run.taskQueue,
    args: [{ organizationId, integrationId, importId, timing: { rollUpEveryMs: 300, ...timing } }],
  });
}

/** Sends a person's command as the api does, to the import's own run. */
export const tellImport = <Answer>(
  run: WorkflowRun,
  importId: string,
  definition: UpdateDefinition<Answer, [{ actor: Actor }]>,
): Promise<Answer> =>
  run.client.workflow.getHandle(importWorkflowId(importId)).executeUpdate(definition, { args: [{ actor }] });

export const repositoryRun = (run: WorkflowRun, repositoryId: string) =>
  run.client.workflow.getHandle(importRepositoryWorkflowId(repositoryId));

/** Waits until an import has joined the run of a repository. */
export const untilJoined = (run: WorkflowRun, repositoryId: string) =>
  waitFor({
    what: 'an import has joined the run',
    read: async () => (await repositoryRun(run, repositoryId).fetchHistory()).events ?? [],
    until: (events) =>
      events.some((event) => event.workflowExecutionSignaledEventAttributes?.signalName === 'joinRepository'),
  });

/** Waits until the repository's row in the import says so; 5 s unless told. */
export const untilRepository = (
  tenant: TestTenant,
  importId: string,
  repositoryId: string,
  state: string,
  timeoutMs = EFFECTIVE_MS,
) =>
  waitFor({
    what: `the repository is ${state}`,
    read: () => tenant.repositoryRows(importId),
    until: (rows) => rows.find(({ id }) => id === repositoryId)?.state === state,
    timeoutMs,
  });

/** Waits until the import's row says so; 5 s unless told. */
export const untilImport = (tenant: TestTenant, importId: string, state: string, timeoutMs = EFFECTIVE_MS) =>
  waitFor({
    what: `the import is ${state}`,
    read: () => tenant.importRow(importId),
    until: (row) => row?.['state'] === state,
    timeoutMs,
  });
