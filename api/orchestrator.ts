import { Connection, WithStartWorkflowOperation, WorkflowClient } from '@temporalio/client';
import type { UpdateDefinition } from '@temporalio/common';
import { summary } from '../workflows/details.ts';
import {
  connectionCheckWorkflowId,
  estimateWorkflowId,
  importWorkflowId,
  integrationWorkflowId,
  removeRepositoryWorkflowId,
  syncAllWorkflowId,
} from '../workflows/ids.ts';
import { priorityOf } from '../workflows/priority.ts';
import type {
  ConnectionCheckInput,
  EstimateImportInput,
  PollIntegrationInput,
  RemoveRepositoryInput,
} from '../workflows/inputs.ts';
import { integrationStart } from '../workflows/integrationStart.ts';
import { type IntegrationSnapshot, repositoryMarked } from '../workflows/messages.ts';
import { type QuarantineRetry, quarantineRetryStart } from '../workflows/quarantineRetryStart.ts';
import { INTEGRATION_ID, ORGANIZATION_ID, REPOSITORY_ID } from '../workflows/searchAttributes.ts';
import { type SyncHint, syncStart } from '../workflows/syncStart.ts';
import { notFound, unavailable } from './problem.ts';
import type { Repeated } from './repeated.ts';
import { endedUnanswered, hasRunEnded, problemOf } from './temporalProblems.ts';

/** What the api asks of Temporal. Every call ends within a bounded time and throws Problems only. */
export interface Orchestrator {
  /** Starts the check of a credential that belongs to no integration. The same check twice is one run. */
  startConnectionCheck(check: {
    organizationId: string;
    checkId: string;
    credentialId: string;
  }): Promise<void>;
  /** Starts an estimate. The same one twice is one run while it lasts; one whose run has ended begins again. */
  startEstimate(estimate: {
    organizationId: string;
    integrationId: string;
    estimateId: string;
    title: string;
  }): Promise<void>;
  /** Starts the retry of quarantined records that its row describes. The same retry twice is one run. */
  startQuarantineRetry(retry: QuarantineRetry): Promise<void>;
  /** Says that a repository may have changed: to the run that keeps it up to date, which is started where there is none. */
  syncRepository(hint: SyncHint): Promise<void>;
  /** Has every imported repository of an integration brought up to date. Asked for twice is one run. */
  syncIntegration(integration: {
    organizationId: string;
    integrationId: string;
    name: string | null;
  }): Promise<void>;
  /**
   * Sends a command to the integration's workflow, which is started from the row's snapshot when it is not there
   * (a start that got lost mends itself). A refusal becomes a Problem with the workflow's own code and fix. A `repeated`
   * one joins the first, while it waits and behind its end, as long as that run lasts.
   */
  command<Answer, Args>(
    definition: UpdateDefinition<Answer, [Args]>,
    snapshot: IntegrationSnapshot,
    args: Args,
    repeated?: Repeated,
  ): Promise<Answer>;
  /**
   * Sends a command to the run of an import. `null`: there is no such run; the import's row says whether it has ended
   * or lost its run. `repeated` as above.
   */
  commandImport<Answer, Args>(
    definition: UpdateDefinition<Answer, [Args]>,
    importId: string,
    args: Args,
    repeated?: Repeated,
  ): Promise<Answer | null>;
  /**
   * Starts the removal of a repository's data and answers when the repository is marked: false, there is none. The same
   * removal twice is one run. A `repeated` one is answered as the first, also behind the end of its run.
   */
  removeRepository(removal: RemoveRepositoryInput, repeated?: Repeated): Promise<boolean>;
  /** Whether Temporal answers right now. */
  reachable(): Promise<boolean>;
  close(): Promise<void>;
}

export interface OrchestratorOptions {
  address: string;
  namespace: string;
  taskQueue: string;
  /** how long a worker may take to carry out a command; default 8 s */
  commandTimeoutMs?: number;
}

// Temporal answers in milliseconds; a request must not hang longer than 2 s when it does not.
const REACHABLE_MS = 1_400;

/** Talks to Temporal. Connects with the first call, so that the api starts while Temporal is down. */
export function createOrchestrator(options: OrchestratorOptions): Orchestrator {
  const { address, namespace, taskQueue, commandTimeoutMs = 8_000 } = options;
  const connection = Connection.lazy({
    address,
    connectTimeout: REACHABLE_MS,
    // No retries here: the answer must come in time, and the caller is told when to come back.
    interceptors: [],
    // Back at once when Temporal is back (grpc's default waits up to two minutes).
    channelArgs: { 'grpc.initial_reconnect_backoff_ms': 100, 'grpc.max_reconnect_backoff_ms': 500 },
  });
  const client = new WorkflowClient({ connection, namespace });

  let callsUnderWay = 0;

  /**
   * The client keeps a deadline in an AsyncLocalStorage. Before Node 24 one that was used once costs time with each promise
   * and callback of the process, until it is switched off; the next call switches it on again.
   */
  async function within<T>(timeoutMs: number, call: () => Promise<T>): Promise<T> {
    callsUnderWay += 1;
    try {
      return await connection.withDeadline(Date.now() + timeoutMs, call);
    } finally {
      callsUnderWay -= 1;
      if (callsUnderWay === 0) connection.callContextStorage.disable();
    }
  }

  const reach = (): Promise<unknown> =>
    within(REACHABLE_MS, () => connection.workflowService.getSystemInfo({}));

  /** A server that hangs is found out by a call that needs no worker, before one that may wait for a worker. */
  async function ask<T>(call: () => Promise<T>): Promise<T> {
    await reach().catch((error: unknown) => {
      throw unavailable('Temporal', error);
    });
    try {
      return await within(commandTimeoutMs, call);
    } catch (error) {
      throw problemOf(error);
    }
  }

  /**
   * A run that has ended still tells what it answered. For who asks again that is no news: what it had begun may have been
   * lost with it, and the next run is to be told.
   */
  async function joining(workflowId: string, repeated: Repeated | undefined): Promise<{ updateId?: string }> {
    if (repeated === undefined) return {};
    const { id: updateId, isRepetition } = repeated;
    if (!isRepetition) return { updateId };
    try {
      const { status } = await client.getHandle(workflowId).describe();
      return status.name === 'RUNNING' ? { updateId } : {};
    } catch (error) {
      if (hasRunEnded(error)) return {};
      throw error;
    }
  }

  return {
    reachable: () =>
      reach().then(
        () => true,
        () => false,
      ),

    async startConnectionCheck({ organizationId, checkId, credentialId }) {
      const input: ConnectionCheckInput = {
        organizationId,
        integrationId: null,
        checkId,
        credentialId,
        oauthFlowId: null,
      };
      await ask(() =>
        client.start('connectionCheck', {
          workflowId: connectionCheckWorkflowId(checkId),
          taskQueue,
          args: [input],
          workflowIdConflictPolicy: 'USE_EXISTING',
          priority: priorityOf('check', organizationId),
          staticSummary: summary('Check a connection – test only, no integration'),
          typedSearchAttributes: [{ key: ORGANIZATION_ID, value: organizationId }],
        }),
      );
    },

    async startEstimate({ organizationId, integrationId, estimateId, title }) {
      const input: EstimateImportInput = { organizationId, integrationId, estimateId };
      await ask(() =>
        client.start('estimateImport', {
          workflowId: estimateWorkflowId(estimateId),
          taskQueue,
          args: [input],
          workflowIdConflictPolicy: 'USE_EXISTING',
          priority: priorityOf('check', integrationId),
          staticSummary: summary(`Estimate an import – ${title}`),
          typedSearchAttributes: [
            { key: ORGANIZATION_ID, value: organizationId },
            { key: INTEGRATION_ID, value: integrationId },
          ],
        }),
      );
    },

    async startQuarantineRetry(retry) {
      await ask(() => client.start('retryQuarantine', quarantineRetryStart(retry, taskQueue)));
    },

    async syncRepository(hint) {
      await ask(() => client.signalWithStart('syncRepository', syncStart(hint, taskQueue)));
    },

    async syncIntegration({ name, organizationId, integrationId }) {
      const input: PollIntegrationInput = { organizationId, integrationId, everything: true };
      await ask(() =>
        client.start('pollIntegration', {
          workflowId: syncAllWorkflowId(integrationId),
          taskQueue,
          args: [input],
          workflowIdConflictPolicy: 'USE_EXISTING',
          priority: priorityOf('sync', integrationId),
          staticSummary: summary(`Sync all repositories – ${name ?? 'draft'}`),
          typedSearchAttributes: [
            { key: ORGANIZATION_ID, value: organizationId },
            { key: INTEGRATION_ID, value: integrationId },
          ],
        }),
      );
    },

    async command(definition, snapshot, args, repeated) {
      const startWorkflowOperation = new WithStartWorkflowOperation(
        'integration',
        integrationStart(snapshot, taskQueue),
      );
      // Whoever waits for the handle is told of a failed start too; nobody does here.
      startWorkflowOperation.workflowHandle().catch(() => {});
      return ask(async () => {
        try {
          return await client.executeUpdateWithStart(definition, {
            startWorkflowOperation,
            args: [args],
            ...(await joining(integrationWorkflowId(snapshot.integrationId), repeated)),
          });
        } catch (error) {
          // It was deleted since the request looked for it: only then does its run complete.
          if (hasRunEnded(error)) throw notFound('integration');
          throw error;
        }
      });
    },

    async removeRepository(input, repeated) {
      const { organizationId, repositoryId, fullName } = input;
      const startWorkflowOperation = new WithStartWorkflowOperation('removeRepository', {
        workflowId: removeRepositoryWorkflowId(repositoryId),
        taskQueue,
        args: [input],
        workflowIdConflictPolicy: 'USE_EXISTING',
        priority: priorityOf('check', organizationId),
        staticSummary: summary(`Remove ${fullName}`),
        typedSearchAttributes: [
          { key: ORGANIZATION_ID, value: organizationId },
          { key: REPOSITORY_ID, value: repositoryId },
        ],
      });
      startWorkflowOperation.workflowHandle().catch(() => {});
      const { known } = await ask(() =>
        client.executeUpdateWithStart(repositoryMarked, {
          startWorkflowOperation,
          ...(repeated === undefined ? {} : { updateId: repeated.id }),
        }),
      );
      return known;
    },

    commandImport: (definition, importId, args, repeated) =>
      ask(async () => {
        const workflowId = importWorkflowId(importId);
        try {
          return await client
            .getHandle(workflowId)
            .executeUpdate(definition, { args: [args], ...(await joining(workflowId, repeated)) });
        } catch (error) {
          if (hasRunEnded(error) || endedUnanswered(error)) return null;
          throw error;
        }
      }),

    close: () => connection.close(),
  };
}
