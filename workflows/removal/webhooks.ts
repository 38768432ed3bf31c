import { ActivityFailure, log } from '@temporalio/workflow';
import type { OfIntegration } from '../contracts/tenant.ts';
import type { Limits } from '../limits.ts';
import { bitbucketChunk, removalWork, rows } from '../policies.ts';
import type { Removal } from '../contracts/removal.ts';

/** For so long limits and outages of Bitbucket are waited for; then what is left there is left to a person. */
const PATIENCE_MS = 24 * 60 * 60_000;

/**
 * Removes webhooks at Bitbucket and here: all of an integration, or that of one of its repositories. What is out of reach
 * there (lost rights, 404, a refused credential) is let go. First goes what they delivered: the row of a hook would take all
 * of it along in one transaction.
 */
export async function removeHooks(
  removal: Removal,
  hooks: OfIntegration & { repositoryId: string | null },
  limits: Limits,
): Promise<void> {
  const sinceMs = Date.now();
  await rows().beginWebhookRemoval.executeWithOptions({ summary: 'the webhooks come next' }, [removal]);
  for (let done = false; !done; ) {
    ({ done } = await removalWork().purgeDeliveries.executeWithOptions(
      { summary: 'remove what webhooks delivered' },
      [hooks],
    ));
  }
  try {
    const remaining = { hooks: 1 };
    while (remaining.hooks > 0 && Date.now() - sinceMs < PATIENCE_MS) {
      await limits.chunk(async () => {
        const chunk = await bitbucketChunk().removeWebhooks.executeWithOptions(
          { summary: 'remove webhooks at Bitbucket' },
          [hooks],
        );
        remaining.hooks = chunk.left;
        return chunk;
      });
    }
  } catch (error) {
    if (!(error instanceof ActivityFailure)) throw error;
    log.warn('Webhooks could not be removed at Bitbucket', { error });
  }
}
