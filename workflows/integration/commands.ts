import { currentUpdateInfo, patched, setHandler, uuid4 } from '@temporalio/workflow';
import { waitingFor } from '../details.ts';
import { refuseRetry } from '../import/rules.ts';
import * as messages from '../messages.ts';
import type { Actor, CommandAnswer, PendingCheck } from '../messages.ts';
import { rows } from '../policies.ts';
import { handleAutoImport } from './autoImport.ts';
import { continueImportRun, continueWebhooks, startDiscovery, startImportRun } from './children.ts';
import { refused } from '../refused.ts';
import { createCommands } from './command.ts';
import { handleDisconnect } from './disconnect.ts';
import type { Entity } from './entity.ts';
import { handleManaging } from './managing.ts';
import { planProbe } from './planProbe.ts';
import { isDraft, isSameCreate, refuseByState, refuseCreate } from './rules.ts';

/** From then on an import that is asked for again goes on also where its first run has ended. */
const ASKED_AGAIN = 'import-asked-for-again-goes-on';

/** Registers what the integration is told: commands of people, and signals of its runs. */
export function handleCommands(entity: Entity): void {
  const { snapshot } = entity;

  const command = createCommands(entity);

  /** A check asked for twice is one check; a second credential waits until the first is checked. */
  async function submit(check: PendingCheck, actor: Actor): Promise<CommandAnswer & { checkId: string }> {
    const { organizationId, integrationId } = snapshot;
    const { checkId } = check;
    const known = await rows().checkOutcome.executeWithOptions({ summary: 'was this check done already?' }, [
      { organizationId, integrationId, checkId },
    ]);
    if (!known.done && !entity.checks.some((waiting) => waiting.checkId === checkId)) {
      await entity.save(
        {
          ...(snapshot.state === 'awaiting_credential' ? { state: 'checking' as const } : {}),
          ...touched(),
        },
        { action: check.oauthFlowId === null ? 'credential_submitted' : 'oauth_completed', actor },
      );
      entity.checks.push(check);
    }
    return { ...entity.answer(), checkId };
  }

  async function commandWebhooks(wanted: boolean, rotate: boolean, actor: Actor): Promise<CommandAnswer> {
    const { organizationId, integrationId } = snapshot;
    const commandId = currentUpdateInfo()?.id ?? uuid4();
    await rows().commandWebhooks.executeWithOptions(
      { summary: wanted ? 'store that webhooks are wanted' : 'store that no webhooks are wanted' },
      [{ organizationId, integrationId, wanted, rotate, commandId, actor }],
    );
    await continueWebhooks(entity);
    return entity.answer();
  }

  /** A draft expires when nobody touched it for a week. */
  const touched = () =>
    isDraft(snapshot.state)
      ? { draftExpiresAt: new Date(Date.now() + entity.timing.draftMs).toISOString() }
      : {};

  command(
    messages.submitCredential,
    'Checks a credential; one that passes becomes the one that signs.',
    () => refuseByState('submitCredential', snapshot.state),
    ({ checkId, credentialId, actor }) => submit({ checkId, credentialId, oauthFlowId: null }, actor),
  );

  command(
    messages.completeOauth,
    'Exchanges the code of a returned OAuth flow, then checks the connection.',
    () => refuseByState('completeOauth', snapshot.state),
    ({ checkId, oauthFlowId, actor }) => submit({ checkId, credentialId: null, oauthFlowId }, actor),
  );

  command(
    messages.create,
    'Gives the connected draft its name and services, and discovers what it sees.',
    (wanted) => refuseCreate(snapshot, wanted),
    async ({ name, services, commitSource, actor }) => {
      if (!isSameCreate(snapshot, { name, services, commitSource })) {
        const chosen = services ?? snapshot.allowedServices;
        await entity.save(
          {
            state: 'active',
            name,
            services: chosen,
            ...(commitSource === undefined ? {} : { commitSource }),
            reason: null,
            draftExpiresAt: null,
          },
          { action: 'integration_created', actor },
        );
        await startDiscovery(entity);
      }
      return { ...entity.answer(), services: snapshot.services, name };
    },
  );

  command(
    messages.discover,
    'Discovers workspaces, projects and repositories again.',
    () => refuseByState('discover', snapshot.state),
    async () => {
      await startDiscovery(entity);
      return entity.answer();
    },
  );

  command(
    messages.registerWebhooks,
    'Registers webhooks wherever the account may, or repairs them.',
    () => refuseByState('registerWebhooks', snapshot.state),
    ({ rotate, actor }) => commandWebhooks(true, rotate, actor),
  );

  command(
    messages.removeWebhooks,
    'Removes the webhooks; polling alone keeps the data current.',
    () => refuseByState('removeWebhooks', snapshot.state),
    ({ actor }) => commandWebhooks(false, false, actor),
  );

  command(
    messages.startImport,
    'Starts the import whose row is stored.',
    () => refuseByState('startImport', snapshot.state),
    async ({ importId }) => {
      const isNew = await startImportRun(entity, importId);
      // Its run may have found the row called off, and ended.
      if (!isNew && patched(ASKED_AGAIN)) await continueImportRun(entity, importId);
      entity.importIds.add(importId);
      return { ...entity.answer(), importId };
    },
  );

  command(
    messages.reviveImport,
    'Starts the lost run of an import that has not ended.',
    () => refuseByState('reviveImport', snapshot.state),
    async ({ importId }) => {
      await continueImportRun(entity, importId);
      entity.importIds.add(importId);
      return entity.answer();
    },
  );

  command(
    messages.retryFailed,
    'Runs the failed repositories of an import again.',
    () => refuseByState('retryFailed', snapshot.state),
    async ({ importId, repositoryIds, actor }) => {
      const { organizationId, integrationId } = snapshot;
      const commandId = currentUpdateInfo()?.id ?? uuid4();
      const { outcome } = await rows().retryRepositories.executeWithOptions(
        { summary: 'make the failed repositories pending again' },
        [{ organizationId, integrationId, importId, repositoryIds, commandId, actor }],
      );
      const refusal = refuseRetry(outcome);
      if (refusal !== null) throw refused(refusal);
      await continueImportRun(entity, importId);
      entity.importIds.add(importId);
      return { ...entity.answer(), changed: outcome === 'retried' };
    },
  );

  handleManaging(entity, command);
  handleAutoImport(entity, command);

  // Not by `command`: the draft being gone already is what was asked for.
  setHandler<{ deleted: true }, [{ actor: Actor }], typeof messages.deleteDraft>(
    messages.deleteDraft,
    ({ actor }) =>
      entity.exclusive(async () => {
        if (!entity.gone) {
          const refusal = refuseByState('deleteDraft', snapshot.state);
          if (refusal !== null) throw refused(refusal);
          await removeDraft(entity, 'remove the draft and shred its secrets', actor);
        }
        return { deleted: true };
      }),
    {
      validator: () => {
        if (entity.isBusy || entity.gone) return;
        const refusal = refuseByState('deleteDraft', snapshot.state);
        if (refusal !== null) throw refused(refusal);
      },
      description: 'Removes an integration that was not created yet.',
    },
  );

  handleDisconnect(entity, command);

  setHandler(messages.importFinished, ({ importId }) => void entity.importIds.delete(importId), {
    description: 'An import ended.',
  });

  setHandler(
    messages.importGoesOn,
    async ({ importId }) => {
      entity.importIds.add(importId);
      // What was said while it counted as ended, it has not heard.
      const { state } = snapshot;
      if (state === 'paused') await entity.tellRuns('integration');
      if (state === 'needs_credential') await entity.tellRuns(state);
    },
    { description: 'An import that had ended goes on: repositories are tried again.' },
  );

  setHandler(messages.credentialRefused, ({ at }) => planProbe(entity, at), {
    description: 'Bitbucket answered 401 to a run.',
  });

  setHandler(
    messages.currentState,
    () => ({ state: snapshot.state, version: snapshot.version, waitingFor: waitingFor(snapshot.state) }),
    { description: 'What the run holds in its hands (the truth is the row).' },
  );
}

/** Ends the integration before it was created; `actor: null`: it expired. */
export async function removeDraft(entity: Entity, saying: string, actor: Actor | null): Promise<void> {
  const { organizationId, integrationId } = entity.snapshot;
  await rows().removeDraft.executeWithOptions({ summary: saying }, [
    { organizationId, integrationId, actor },
  ]);
  entity.checks.length = 0;
  entity.gone = true;
}
