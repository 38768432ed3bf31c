import {
  CancellationScope,
  continueAsNew,
  isCancellation,
  setCurrentDetails,
  upsertSearchAttributes,
} from '@temporalio/workflow';
import { readFailure } from './failures.ts';
import { RETRY_INTERRUPTED } from './findings.ts';
import type { RetryQuarantineInput } from './inputs.ts';
import { isLongHistory } from './longHistory.ts';
import { quarantineChunk, rows } from './policies.ts';
import { INTEGRATION_ID, ORGANIZATION_ID, STAGE } from './searchAttributes.ts';
import type { Finding } from './words.ts';

/**
 * Tries the records of a quarantine again, after an upgrade of the engine. Id: `quarantine-retry/{retryId}`.
 *
 *  1. One bounded chunk after the other, from the place in the retry's row: each record is read from its bytes with the
 *     schemas of now. What can be stored is stored and leaves the quarantine, with the place in one transaction; the rest
 *     counts another attempt.
 *  2. Store how it ended. The numbers are in the row from the first chunk on.
 */
export async function retryQuarantine(input: RetryQuarantineInput): Promise<void> {
  const { organizationId, integrationId, retryId } = input;
  const ids = { organizationId, integrationId, retryId };
  let { tried, stored } = input.carried ?? { tried: 0, stored: 0 };
  upsertSearchAttributes([
    { key: ORGANIZATION_ID, value: organizationId },
    { key: INTEGRATION_ID, value: integrationId },
    { key: STAGE, value: 'retrying' },
  ]);
  show('tries again');
  let ended: boolean;
  try {
    ended = await walk();
  } catch (error) {
    const finding = isCancellation(error) ? RETRY_INTERRUPTED : readFailure(error).finding;
    await CancellationScope.nonCancellable(() => finish(finding));
    if (isCancellation(error)) throw error;
    return;
  }
  if (!ended) await continueAsNew<typeof retryQuarantine>({ ...input, carried: { tried, stored } });
  await finish(null);

  /** Step 1; false: the history is long. */
  async function walk(): Promise<boolean> {
    for (;;) {
      const chunk = await quarantineChunk().retryQuarantined.executeWithOptions(
        { summary: `${tried} records tried, ${stored} stored so far` },
        [ids],
      );
      tried += chunk.tried;
      stored += chunk.stored;
      show('tries again');
      if (!chunk.more) return true;
      if (isLongHistory(input.historyLimit)) return false;
    }
  }

  async function finish(error: Finding | null): Promise<void> {
    await rows().finishQuarantineRetry.executeWithOptions({ summary: 'store how it ended' }, [
      { ...ids, error },
    ]);
    upsertSearchAttributes([{ key: STAGE, value: error === null ? 'done' : 'failed' }]);
    show(error === null ? 'done' : `failed (${error.code})`);
  }

  function show(doing: string): void {
    setCurrentDetails(`Quarantine – ${doing}; ${tried} records tried, ${stored} of them stored.`);
  }
}
