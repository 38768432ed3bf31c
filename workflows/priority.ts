/** What a workflow and its activities are for, in the order in which they go first. */
export type Work = 'check' | 'sync' | 'discovery' | 'import';

/** Temporal's scale is 1 (first) to 5; 3 is what names none. */
const KEY: Record<Work, number> = { check: 1, sync: 2, discovery: 3, import: 4 };

/**
 * Second fence behind the request budget: on a queue that is full, what a person waits for goes first, and the
 * integrations take turns (`fairness`: an integration's id, or an organization's). Activities inherit it. Needs
 * `matching.useNewMatcher` and `matching.enableFairness` on the server; without them it changes nothing.
 */
export const priorityOf = (work: Work, fairness: string): { priorityKey: number; fairnessKey: string } => ({
  priorityKey: KEY[work],
  fairnessKey: fairness,
});
