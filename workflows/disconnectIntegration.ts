import { continueAsNew, setCurrentDetails, upsertSearchAttributes } from '@temporalio/workflow';
import { escapeName } from './details.ts';
import { integrationWorkflowId } from './ids.ts';
import { tell } from './import/tell.ts';
import type { DisconnectIntegrationInput } from './inputs.ts';
import { disconnected } from './messages.ts';
import { createLimits } from './limits.ts';
import { removalWork, rows } from './policies.ts';
import { purge } from './removal/purge.ts';
import { removeHooks } from './removal/webhooks.ts';
import { INTEGRATION_ID, ORGANIZATION_ID, STAGE } from './searchAttributes.ts';
import { REMOVAL_GRACE_MS } from './timing.ts';

/**
 * Removes an integration whose state is `disconnecting`. Id: `integration/{integrationId}/disconnect`.
 *
 *  1. Note it, and that its imports are cancelled. From here on no stream can be opened for it: the state is the fence.
 *  2. Nothing begins any more: its schedule is deleted. What runs is asked to end, and terminated after a while.
 *  3. Its webhooks are removed at Bitbucket, as far as its account still may; then its secrets.
 *  4. Repositories that another integration sees are handed over. What is left is counted, for the progress.
 *  5. Rows and clones go, in chunks.
 *  6. The integration's row goes last: its name is free, and its own run ends.
 *
 * Each step finds done what was done before, so it may be begun again at any time.
 */
export async function disconnectIntegration(input: DisconnectIntegrationInput): Promise<void> {
  const { organizationId, integrationId, name, actor, graceMs = REMOVAL_GRACE_MS } = input;
  const integration = { organizationId, integrationId };
  const limits = createLimits();
  upsertSearchAttributes([
    { key: ORGANIZATION_ID, value: organizationId },
    { key: INTEGRATION_ID, value: integrationId },
    { key: STAGE, value: input.carried === undefined ? 'stopping' : 'purging' },
  ]);
  if (input.carried === undefined && !(await standStill())) return;
  show('removes rows and clones');
  upsertSearchAttributes([{ key: STAGE, value: 'purging' }]);
  if (!(await purge(integration))) {
    await continueAsNew<typeof disconnectIntegration>({ ...input, carried: { purging: true } });
  }
  await rows().finishDisconnect.executeWithOptions({ summary: 'remove the row of the integration' }, [
    { ...integration, actor },
  ]);
  await tell(integrationWorkflowId(integrationId), (handle) => handle.signal(disconnected));
  upsertSearchAttributes([{ key: STAGE, value: 'done' }]);
  show('done');

  /** Steps 1 to 4; false: there is no such integration. */
  async function standStill(): Promise<boolean> {
    show('waits until its runs have ended');
    const { gone } = await rows().beginDisconnect.executeWithOptions({ summary: 'cancel its imports' }, [
      { ...integration, actor },
    ]);
    if (gone) return false;
    await rows().deleteSchedule.executeWithOptions({ summary: 'poll no more' }, [integration]);
    await removalWork().endRuns.executeWithOptions({ summary: 'end what runs for it' }, [
      { ...integration, graceMs },
    ]);
    show('removes its webhooks at Bitbucket');
    await removeHooks(integration, { ...integration, repositoryId: null }, limits);
    await rows().shredSecrets.executeWithOptions({ summary: 'remove its secrets' }, [integration]);
    show('hands repositories over that another integration sees');
    for (let done = false; !done; ) {
      ({ done } = await removalWork().handOverRepositories.executeWithOptions(
        { summary: 'hand repositories over' },
        [integration],
      ));
    }
    await removalWork().countRows.executeWithOptions({ summary: 'count what is to be removed' }, [
      integration,
    ]);
    return true;
  }

  function show(doing: string): void {
    setCurrentDetails(`**${escapeName(name)}** is being removed – ${doing}.`);
  }
}
