import type { Removal } from '../contracts/removal.ts';
import { isLongHistory } from '../longHistory.ts';
import { purgeChunk } from '../policies.ts';

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
    if (isLongHistory()) return false;
  }
}
