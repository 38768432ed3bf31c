import {
  CancellationScope,
  continueAsNew,
  isCancellation,
  patched,
  setCurrentDetails,
  upsertSearchAttributes,
} from '@temporalio/workflow';
import { readFailure } from './failures.ts';
import { DISCOVERY_INTERRUPTED } from './findings.ts';
import type { DiscoverIntegrationInput } from './inputs.ts';
import { createLimits, isRefusal, tellDiscovered, tellRefused } from './limits.ts';
import { isLongHistory } from './longHistory.ts';
import { lookUpRepositories } from './lookUpRepositories.ts';
import { bitbucketChunk, bitbucketRows } from './policies.ts';
import { INTEGRATION_ID, ORGANIZATION_ID, STAGE } from './searchAttributes.ts';
import type { Finding } from './words.ts';

/**
 * Finds the workspaces, projects and repositories that an integration's account sees.
 * Id: `integration/{integrationId}/discovery`: one at a time, a second one joins the first. With `lookUp` it asks for some
 * repositories alone, as `integration/{integrationId}/look-up`.
 *
 *  1. One bounded chunk after the other; each stores what it found and gives back its place.
 *  2. At a limit of Bitbucket, sleep on a timer that says until when; a signal ends it early. Paused with its integration,
 *     the chunk in hand is stopped, and read again from its place when it goes on.
 *  3. Store how it ended, and tell the integration, which imports what its auto-import rules take. A refused credential is
 *     told to it too, and it confirms that.
 */
export async function discoverIntegration(input: DiscoverIntegrationInput): Promise<void> {
  if (input.lookUp !== undefined) return lookUpRepositories(input, input.lookUp);
  const { organizationId, integrationId } = input;
  const ids = { organizationId, integrationId };
  let { cursor, repositories } = input.carried ?? { cursor: null, repositories: 0 };
  const limits = createLimits(input.carried?.paused ?? null);
  upsertSearchAttributes([
    { key: ORGANIZATION_ID, value: organizationId },
    { key: INTEGRATION_ID, value: integrationId },
    { key: STAGE, value: 'discovering' },
  ]);
  const show = (): void =>
    setCurrentDetails(
      `Discovers workspaces, projects and repositories; ${repositories} repositories so far.`,
    );
  show();
  let ended: boolean;
  try {
    ended = await walk();
  } catch (error) {
    if (isCancellation(error)) {
      await CancellationScope.nonCancellable(() => finish(ids, 'failed', DISCOVERY_INTERRUPTED));
      throw error;
    }
    const { type, finding } = readFailure(error);
    await finish(ids, 'failed', finding);
    if (isRefusal(type)) await tellRefused(integrationId, finding);
    return;
  }
  if (!ended) {
    await continueAsNew<typeof discoverIntegration>({
      ...input,
      carried: { cursor, repositories, paused: limits.paused },
    });
  }
  await finish(ids, 'done');
  // From then on auto-import rules look at what was found.
  if (patched('auto-import')) await tellDiscovered(integrationId);

  /** Steps 1 and 2, until there is nothing left; false: the history is long. */
  async function walk(): Promise<boolean> {
    for (;;) {
      const isFree = await limits.chunk(async () => {
        const chunk = await bitbucketChunk().discoverChunk.executeWithOptions(
          { summary: `workspaces and repositories · ${repositories} so far` },
          [{ ...ids, cursor }],
        );
        cursor = chunk.cursor;
        repositories += chunk.repositories;
        show();
        return chunk;
      });
      if (isFree && cursor === null) return true;
      if (isLongHistory(input.historyLimit)) return false;
    }
  }
}

async function finish(
  ids: { organizationId: string; integrationId: string },
  outcome: 'done' | 'failed',
  error?: Finding,
): Promise<void> {
  await bitbucketRows().finishDiscovery.executeWithOptions({ summary: `discovery ${outcome}` }, [
    { ...ids, outcome, ...(error === undefined ? {} : { error }) },
  ]);
}
