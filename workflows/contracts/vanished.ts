import type { OfIntegration } from './tenant.ts';
import type { Actor } from '../messages.ts';

/** What a person says of repositories that vanished together: they are gone, or to be left as they are. */
export type VanishedDecision = 'gone' | 'keep';

/** Rows of what vanished. Queue: ingestion. */
export interface VanishedActivities {
  /**
   * Does as a person decided about what they were asked, with an event and an entry in the audit trail. Where nothing is
   * asked (any more) nothing changes. Repeatable.
   */
  settleVanished(input: OfIntegration & { decision: VanishedDecision; actor: Actor }): Promise<void>;
}
