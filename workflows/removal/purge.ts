import { workflowInfo } from '@temporalio/workflow';
import type { Removal } from '../contracts/removal.ts';
import { purgeChunk } from '../policies.ts';

const HISTORY_LIMIT = 2_000;

/**
 * Removes rows, chunk after chunk; false: the history is long, and the next run goes on. The rows themselves say what is
 * left, and `removals` what a person sees.
 */
export async function purge(removal: Removal): Promise<boolean> {
  for (;;) {
    const { done } = await purgeChunk().purgeRows.executeWithOptions({ summary: 'remove rows and clones' }, [
      removal,
    ]);
    if (done) return true;
    const { continueAsNewSuggested, historyLength } = workflowInfo();
    if (continueAsNewSuggested || historyLength > HISTORY_LIMIT) return false;
  }
}
