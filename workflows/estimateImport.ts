import {
  CancellationScope,
  continueAsNew,
  isCancellation,
  patched,
  setCurrentDetails,
  setHandler,
  upsertSearchAttributes,
} from '@temporalio/workflow';
import type { Limited } from './contracts/waiting.ts';
import { clock, estimateDetails, summary } from './details.ts';
import { readFailure } from './failures.ts';
import { ESTIMATE_INTERRUPTED } from './findings.ts';
import type { EstimateImportInput } from './inputs.ts';
import { createLimitTimer } from './limitTimer.ts';
import { isRefusal, tellRefused } from './limits.ts';
import { isLongHistory } from './longHistory.ts';
import { allowanceFreed } from './messages.ts';
import { estimateTries, rows } from './policies.ts';
import { INTEGRATION_ID, ORGANIZATION_ID, STAGE } from './searchAttributes.ts';

/** From then on it has a bound to its history. */
const GOES_ON_ANEW = 'estimate-goes-on-anew';

/**
 * Finds out what an import would take, and imports nothing. Id: `import-estimate/{estimateId}`.
 *
 *  1. Choose up to 30 repositories that speak for all that are meant.
 *  2. Ask Bitbucket about them, at most three requests each. At a limit: sleep on a timer that says until
 *     when; a signal ends it early.
 *  3. Work out requests, rows and end, and store them.
 *
 * A refused credential ends it, and the integration is told. At most 90 requests are made, so the history stays short,
 * unless Bitbucket refuses again and again: then it continues as new, from what is in its rows.
 */
export async function estimateImport(input: EstimateImportInput): Promise<void> {
  const { organizationId, integrationId, estimateId } = input;
  const ids = { organizationId, integrationId, estimateId };
  upsertSearchAttributes([
    { key: ORGANIZATION_ID, value: organizationId },
    { key: INTEGRATION_ID, value: integrationId },
    { key: STAGE, value: 'estimating' },
  ]);
  const limitTimer = createLimitTimer();
  let freed = false;
  setHandler(allowanceFreed, () => void (freed = true), {
    description: 'End a wait for the request budget early.',
  });
  let progress = { title: 'repositories', total: 0, sampled: 0, asked: 0, requests: 0 };
  const show = (doing: string): void => setCurrentDetails(estimateDetails({ ...progress, doing }));
  show('begins');
  let isAtEnd: boolean;
  try {
    isAtEnd = await work();
  } catch (error) {
    if (isCancellation(error)) {
      await CancellationScope.nonCancellable(() => fail(ESTIMATE_INTERRUPTED));
      throw error;
    }
    const { type, finding } = readFailure(error);
    await fail(finding);
    if (isRefusal(type)) await tellRefused(integrationId, finding);
    return;
  }
  if (!isAtEnd) await continueAsNew<typeof estimateImport>(input);

  /** Steps 1 to 3; false: the history is long. */
  async function work(): Promise<boolean> {
    const begun = await rows().beginEstimate.executeWithOptions({ summary: 'choose whom to ask about' }, [
      ids,
    ]);
    progress = { ...progress, ...begun };
    if (!(await askAll())) return false;
    show('works the answer out');
    const { state, requests } = await rows().finishEstimate.executeWithOptions(
      { summary: 'work the answer out and store it' },
      [ids],
    );
    progress = { ...progress, requests };
    show(state === 'done' ? 'done: the answer is in its row' : 'failed: its row says why');
    return true;
  }

  /** Step 2; false: the history is long. */
  async function askAll(): Promise<boolean> {
    for (;;) {
      if (isLongHistory(input.historyLimit) && patched(GOES_ON_ANEW)) return false;
      freed = false;
      show('asks Bitbucket');
      const limited = await chunkOrLimit();
      if (limited === 'done') return true;
      if (limited !== null) await waitUntil(limited);
    }
  }

  /** A limit that the activity met by an error is waited for like one that it returned. */
  async function chunkOrLimit(): Promise<Limited | 'done' | null> {
    try {
      const chunk = await estimateTries().estimateChunk.executeWithOptions(
        { summary: summary(`${progress.asked} of ${progress.sampled} repositories asked about`) },
        [ids],
      );
      progress = { ...progress, asked: chunk.asked, requests: chunk.requests };
      return chunk.done ? 'done' : (chunk.limited ?? null);
    } catch (error) {
      const { limited } = readFailure(error);
      if (limited === null) throw error;
      return limited;
    }
  }

  async function waitUntil({ until, why }: Limited): Promise<void> {
    if (freed) return;
    const untilMs = Date.parse(until);
    const saying = `${why}; goes on ${clock(untilMs, Date.now())}`;
    await store('rate_limited', { until, why });
    show(saying);
    await limitTimer(untilMs, () => freed, summary(saying));
    await store('running');
  }

  async function store(state: 'running' | 'rate_limited', waiting: Limited | null = null): Promise<void> {
    upsertSearchAttributes([{ key: STAGE, value: state === 'running' ? 'estimating' : state }]);
    await rows().setEstimateState.executeWithOptions({ summary: `store state ${state}` }, [
      { ...ids, state, waiting },
    ]);
  }

  async function fail(finding: typeof ESTIMATE_INTERRUPTED): Promise<void> {
    await rows().failEstimate.executeWithOptions(
      { summary: summary(`end without an answer: ${finding.code}`) },
      [{ ...ids, finding }],
    );
    show(`failed (${finding.code}); its row says why`);
  }
}
