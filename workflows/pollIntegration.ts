import {
  CancellationScope,
  continueAsNew,
  isCancellation,
  setCurrentDetails,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow';
import { pollDetails, summary } from './details.ts';
import { readFailure } from './failures.ts';
import { POLL_INTERRUPTED } from './findings.ts';
import type { PollIntegrationInput } from './inputs.ts';
import { createLimits, isRefusal, tellRefused } from './limits.ts';
import { keepWebhooksAgain } from './keepWebhooksAgain.ts';
import { isLongHistory } from './longHistory.ts';
import { bitbucketChunk, manySignals, rows } from './policies.ts';
import { discoverAgain } from './presence/discoverAgain.ts';
import { INTEGRATION_ID, ORGANIZATION_ID, STAGE } from './searchAttributes.ts';
import type { Finding } from './words.ts';

/**
 * Finds what changed at Bitbucket without webhooks, and what they missed. Id: `integration/{integrationId}/poll` and the
 * time, started by the schedule of that name, one at a time; `integration/{integrationId}/sync-all` for a person.
 *
 *  1. Is a round due? The integration may be paused, or the allowance too small for one already. Every few hours a
 *     discovery is due besides: it is started as a run of its own. So is the run of webhooks, where it was lost.
 *  2. `everything`: tell every repository to bring itself up to date. Otherwise ask Bitbucket, as cheaply as can be, which
 *     may have changed, in bounded chunks, and tell those.
 *  3. At a limit of Bitbucket, or before a list that failed is asked for again, sleep on a timer that says until when.
 *  4. Store how it went (a pause ends a round early), and when the next round may come. A refused credential is also told to the integration.
 */
export async function pollIntegration(input: PollIntegrationInput): Promise<void> {
  const { organizationId, integrationId, everything = false } = input;
  const ids = { organizationId, integrationId };
  const limits = createLimits();
  let { place, requests, found } = input.carried ?? { place: null, requests: 0, found: 0 };
  const show = (doing: string): void => setCurrentDetails(pollDetails({ doing, requests, found }));
  upsertSearchAttributes([
    { key: ORGANIZATION_ID, value: organizationId },
    { key: INTEGRATION_ID, value: integrationId },
    { key: STAGE, value: 'polling' },
  ]);
  show('begins');
  let isAtEnd: boolean;
  try {
    isAtEnd = everything ? await tellAll() : await round();
  } catch (error) {
    if (isCancellation(error)) {
      await CancellationScope.nonCancellable(() => finish(POLL_INTERRUPTED));
      throw error;
    }
    const { type, finding } = readFailure(error);
    await finish(finding);
    if (isRefusal(type)) await tellRefused(integrationId, finding);
    return;
  }
  if (!isAtEnd)
    await continueAsNew<typeof pollIntegration>({ ...input, carried: { place, requests, found } });

  /** Steps 1 to 4; false: the history is long. */
  async function round(): Promise<boolean> {
    if (place === null) {
      const begun = await rows().beginPoll.executeWithOptions({ summary: 'is a round due' }, [
        { ...ids, atOnce: false, run: workflowInfo().runId },
      ]);
      if (begun.discover === true) await discoverAgain(ids);
      if (begun.keepWebhooks === true) await keepWebhooksAgain(ids);
      if (!begun.due) {
        show(`not now: ${begun.why}`);
        return true;
      }
      ({ place } = begun);
    }
    let stopped: Finding | null = null;
    for (let from = place; from !== null; from = place) {
      if (isLong()) return false;
      show('asks Bitbucket what changed');
      const at = from;
      await limits.chunk(async () => {
        const chunk = await bitbucketChunk().pollChunk.executeWithOptions(
          { summary: summary(`${requests} requests, ${found} repositories changed so far`) },
          [{ ...ids, place: at }],
        );
        ({ place } = chunk);
        requests += chunk.requests;
        found += chunk.found;
        stopped = chunk.stopped ?? null;
        return chunk;
      });
    }
    await finish(stopped);
    return true;
  }

  /** Tells every repository, some hundred at a time; false: the history is long. */
  async function tellAll(): Promise<boolean> {
    do {
      if (isLong()) return false;
      const { after, told } = await manySignals().syncEach.executeWithOptions(
        { summary: summary(`${found} repositories told so far`) },
        [{ ...ids, after: place }],
      );
      place = after;
      found += told;
      show('tells every repository to bring itself up to date');
    } while (place !== null);
    return true;
  }

  async function finish(error: Finding | null): Promise<void> {
    show(error === null ? 'done' : `has not asked all (${error.code})`);
    await rows().finishPoll.executeWithOptions({ summary: 'store how the round went' }, [
      { ...ids, ...(everything ? { requests: null, found: null } : { requests, found }), error },
    ]);
  }

  function isLong(): boolean {
    return isLongHistory(input.historyLimit);
  }
}
