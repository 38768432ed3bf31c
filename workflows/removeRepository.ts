import {
  allHandlersFinished,
  condition,
  continueAsNew,
  setCurrentDetails,
  setHandler,
  upsertSearchAttributes,
} from '@temporalio/workflow';
import { escapeName } from './details.ts';
import { importWorkflowId } from './ids.ts';
import { tell } from './import/tell.ts';
import type { RemoveRepositoryInput } from './inputs.ts';
import { repositoryFinished, repositoryMarked } from './messages.ts';
import { createLimits } from './limits.ts';
import { removalWork, rows } from './policies.ts';
import { purge } from './removal/purge.ts';
import { removeHooks } from './removal/webhooks.ts';
import { ORGANIZATION_ID, REPOSITORY_ID, STAGE } from './searchAttributes.ts';
import { REMOVAL_GRACE_MS } from './timing.ts';

/**
 * Removes what was imported of one repository. Id: `repository/{repositoryId}/remove`.
 *
 *  1. Mark it: from here on no stream of it can be opened, and imports of everything leave it alone. In each import that
 *     has not ended it, it is cancelled, and the import is told.
 *  2. Its runs are asked to end, and terminated after a while. A webhook of its own is removed at Bitbucket.
 *  3. Rows and clone go, in chunks, with their number counted before.
 *  4. It stays as one that is discovered and was never imported, until a person imports it by its id.
 */
export async function removeRepository(input: RemoveRepositoryInput): Promise<void> {
  const { organizationId, repositoryId, fullName, actor, graceMs = REMOVAL_GRACE_MS } = input;
  const repository = { organizationId, repositoryId };
  const limits = createLimits();
  // null: not marked yet
  let known: boolean | null = input.carried === undefined ? null : true;
  setHandler(
    repositoryMarked,
    async () => {
      await condition(() => known !== null);
      return { known: known === true };
    },
    { description: 'Answers when the repository is marked as removed.' },
  );
  upsertSearchAttributes([
    { key: ORGANIZATION_ID, value: organizationId },
    { key: REPOSITORY_ID, value: repositoryId },
    { key: STAGE, value: input.carried === undefined ? 'stopping' : 'purging' },
  ]);
  if (input.carried === undefined) await standStill();
  if (known) {
    show('removes rows and clone');
    upsertSearchAttributes([{ key: STAGE, value: 'purging' }]);
    if (!(await purge(repository))) {
      await condition(allHandlersFinished);
      await continueAsNew<typeof removeRepository>({ ...input, carried: { purging: true } });
    }
    await rows().finishRepositoryRemoval.executeWithOptions({ summary: 'it was never imported' }, [
      { ...repository, actor },
    ]);
  }
  upsertSearchAttributes([{ key: STAGE, value: 'done' }]);
  show('done');
  await condition(allHandlersFinished);

  /** Steps 1 and 2, and the count. */
  async function standStill(): Promise<void> {
    show('waits until its runs have ended');
    const begun = await rows().beginRepositoryRemoval.executeWithOptions(
      { summary: 'mark it as removed, cancel it in its imports' },
      [{ ...repository, actor }],
    );
    known = begun !== null;
    for (const importId of begun?.importIds ?? []) {
      await tell(importWorkflowId(importId), (handle) => handle.signal(repositoryFinished, { repositoryId }));
    }
    if (begun === null) return;
    await removalWork().endRuns.executeWithOptions({ summary: 'end what runs for it' }, [
      { ...repository, graceMs },
    ]);
    const { integrationId } = begun;
    if (integrationId !== null) {
      show('removes its webhook at Bitbucket');
      await removeHooks(repository, { ...repository, integrationId }, limits);
    }
    await removalWork().countRows.executeWithOptions({ summary: 'count what is to be removed' }, [
      repository,
    ]);
  }

  function show(doing: string): void {
    setCurrentDetails(`**${escapeName(fullName)}** is being removed – ${doing}.`);
  }
}
