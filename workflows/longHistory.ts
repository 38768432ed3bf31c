import { patched, workflowInfo } from '@temporalio/workflow';
import { HISTORY_LIMIT } from './timing.ts';

/** From then on a run ends early enough for what comes behind the look: what is under way, and its own end. */
const ENDS_WITH_ROOM = 'ends-with-room';
const SHARE = 0.95;

/** Whether the run is to continue as new. */
export function isLongHistory(limit: number = HISTORY_LIMIT): boolean {
  const { continueAsNewSuggested, historyLength } = workflowInfo();
  if (continueAsNewSuggested || historyLength > limit) return true;
  return historyLength > limit * SHARE && patched(ENDS_WITH_ROOM);
}
