import {
  getExternalWorkflowHandle,
  log,
  ParentClosePolicy,
  startChild,
  WorkflowIdReusePolicy,
  type ChildWorkflowHandle,
  type Workflow,
} from '@temporalio/workflow';
import { connectionCheck } from '../connectionCheck.ts';
import { summary } from '../details.ts';
import { disconnectIntegration } from '../disconnectIntegration.ts';
import { discoverIntegration } from '../discoverIntegration.ts';
import {
  connectionCheckWorkflowId,
  disconnectWorkflowId,
  discoveryWorkflowId,
  importWorkflowId,
  webhooksWorkflowId,
} from '../ids.ts';
import { importRepositories } from '../importRepositories.ts';
import type { ConnectionCheckResult } from '../inputs.ts';
import { keepWebhooks } from '../keepWebhooks.ts';
import { type Actor, lookForMore, type PendingCheck, webhooksCommanded } from '../messages.ts';
import { priorityOf, type Work } from '../priority.ts';
import { INTEGRATION_ID, ORGANIZATION_ID } from '../searchAttributes.ts';
import { startOnce } from '../startOnce.ts';
import type { Entity } from './entity.ts';

const common = ({ snapshot }: Entity, work: Work, saying: string) => ({
  priority: priorityOf(work, snapshot.integrationId),
  parentClosePolicy: ParentClosePolicy.ABANDON,
  staticSummary: summary(`${saying} – ${snapshot.name ?? 'draft'}`),
  typedSearchAttributes: [
    { key: ORGANIZATION_ID, value: snapshot.organizationId },
    { key: INTEGRATION_ID, value: snapshot.integrationId },
  ],
});

/** Starts the discovery of what the account sees, or joins the one that runs. Its outcome is in the integration's row. */
export async function startDiscovery(entity: Entity): Promise<void> {
  const { organizationId, integrationId } = entity.snapshot;
  const handle = await startOnce(() =>
    startChild(discoverIntegration, {
      ...common(entity, 'discovery', 'Discover workspaces and repositories'),
      workflowId: discoveryWorkflowId(integrationId),
      args: [{ organizationId, integrationId }],
    }),
  );
  watch(handle);
}

/** Starts an import, by an id that is used once. False: it had its run already. */
export async function startImportRun(entity: Entity, importId: string): Promise<boolean> {
  const { organizationId, integrationId } = entity.snapshot;
  const handle = await startOnce(() =>
    startChild(importRepositories, {
      ...common(entity, 'import', 'Import repositories'),
      workflowId: importWorkflowId(importId),
      workflowIdReusePolicy: WorkflowIdReusePolicy.REJECT_DUPLICATE,
      args: [{ organizationId, integrationId, importId }],
    }),
  );
  watch(handle);
  return handle !== null;
}

/** A run may end between being met and being told; who meets that so often leaves it to the next command. */
const TRIES = 5;

/**
 * Sees to it that an import has a run: starts it again where it ended (by itself, or by an operator), tells the one that is
 * there to look for more. A run reads from the import's row how it stands, so one too many does nothing.
 */
export async function continueImportRun(entity: Entity, importId: string): Promise<void> {
  const { organizationId, integrationId } = entity.snapshot;
  for (let tries = 0; tries < TRIES; tries += 1) {
    const handle = await startOnce(() =>
      startChild(importRepositories, {
        ...common(entity, 'import', 'Import repositories'),
        workflowId: importWorkflowId(importId),
        workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE,
        args: [{ organizationId, integrationId, importId }],
      }),
    );
    if (handle !== null) return watch(handle);
    try {
      await getExternalWorkflowHandle(importWorkflowId(importId)).signal(lookForMore);
      return;
    } catch (error) {
      log.debug('The run of an import ended at this moment', { importId, error });
    }
  }
}

/** Sees to it that what is wanted of webhooks is done: starts their run, or tells the one that is there. */
export async function continueWebhooks(entity: Entity): Promise<void> {
  const { organizationId, integrationId } = entity.snapshot;
  for (let tries = 0; tries < TRIES; tries += 1) {
    const handle = await startOnce(() =>
      startChild(keepWebhooks, {
        ...common(entity, 'discovery', 'Keep webhooks'),
        workflowId: webhooksWorkflowId(integrationId),
        args: [{ organizationId, integrationId }],
      }),
    );
    if (handle !== null) return watch(handle);
    try {
      await getExternalWorkflowHandle(webhooksWorkflowId(integrationId)).signal(webhooksCommanded);
      return;
    } catch (error) {
      log.debug('The run of the webhooks ended at this moment', { error });
    }
  }
}

/** Starts the removal, or leaves the one that runs alone. */
export async function startDisconnect(entity: Entity, actor: Actor): Promise<void> {
  const { organizationId, integrationId, name } = entity.snapshot;
  const { graceMs } = entity.timing;
  const handle = await startOnce(() =>
    startChild(disconnectIntegration, {
      ...common(entity, 'check', 'Remove the integration'),
      workflowId: disconnectWorkflowId(integrationId),
      args: [{ organizationId, integrationId, name: name ?? '', actor, graceMs }],
    }),
  );
  watch(handle);
}

/** Nobody waits for these: what they did is in their rows. A failure is shown in their own page. */
function watch(handle: ChildWorkflowHandle<Workflow> | null): void {
  void handle
    ?.result()
    .catch((error: unknown) =>
      log.warn('A child of the integration failed', { child: handle.workflowId, error }),
    );
}

/** Starts the check; `ended` resolves when it ended in whatever way. `null`: it runs already. */
export async function startCheck(
  entity: Entity,
  check: PendingCheck,
): Promise<{ ended: Promise<ConnectionCheckResult | null> } | null> {
  const { organizationId, integrationId } = entity.snapshot;
  const handle = await startOnce(() =>
    startChild(connectionCheck, {
      ...common(entity, 'check', 'Check the connection'),
      workflowId: connectionCheckWorkflowId(check.checkId),
      args: [{ organizationId, integrationId, ...check }],
    }),
  );
  if (handle === null) return null;
  return { ended: handle.result().catch(() => null) };
}

/** Asks a check to end; one that ended meanwhile is just as good. */
export async function cancelCheck(checkId: string): Promise<void> {
  try {
    await getExternalWorkflowHandle(connectionCheckWorkflowId(checkId)).cancel();
  } catch (error) {
    log.debug('The check had ended already', { checkId, error });
  }
}
