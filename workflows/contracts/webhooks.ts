import type { Finding, IntegrationState, WebhookUpkeepState } from '../words.ts';
import type { Actor } from '../messages.ts';
import type { OfIntegration } from './tenant.ts';
import type { Limited } from './waiting.ts';

/** Webhooks at Bitbucket. Queue: bitbucket. */
export interface WebhookActivities {
  /**
   * The next of a round over the hooks that an integration shall have: registers those that are missing, mends those that
   * were changed, notes those that it may not have; or removes all, where none are wanted. In bounded chunks (25 steps of
   * about one request, or three minutes) that carry their place. Nothing is done while the integration does not work.
   */
  keepWebhooksChunk(input: OfIntegration & { cursor: string | null }): Promise<{
    cursor: string | null;
    /** the round is not over */
    more: boolean;
    /** none are wanted and none are left, or the integration is gone */
    off: boolean;
    /** steps that it took */
    steps: number;
    limited?: Limited;
    /** nothing was looked up: what the integration is instead of active */
    resting?: IntegrationState;
  }>;
  /**
   * Removes hooks at Bitbucket and their rows for good: all of an integration, which registers none again, or that of one
   * repository (`repositoryId`). Whatever Bitbucket's refusal (lost rights, 404, a credential that is refused), nothing of
   * them is left here; `outOfReach` counts those that may remain there. What an outage keeps from being removed stays, and
   * `limited` says when to ask again. Repeat while `left` is not 0.
   */
  removeWebhooks(input: OfIntegration & { repositoryId: string | null }): Promise<{
    left: number;
    removed: number;
    outOfReach: number;
    limited?: Limited;
  }>;
}

/** Rows of the upkeep of webhooks. Queue: ingestion. */
export interface WebhookRowActivities {
  /** Stores whether webhooks are wanted. The same `commandId` twice changes nothing, so a secret is rotated once. */
  commandWebhooks(
    input: OfIntegration & { wanted: boolean; rotate: boolean; commandId: string; actor: Actor },
  ): Promise<void>;
  setWebhookUpkeep(
    input: OfIntegration & {
      state: WebhookUpkeepState;
      /** a round begins; only that is written over `pending`: what was commanded is not done before */
      begins?: true;
      error?: Finding;
      waiting?: Limited;
      /** ISO time; a round has ended */
      nextRoundAt?: string;
      /** it ended without a look at anything, as the integration does not work */
      rested?: true;
    },
  ): Promise<void>;
}
