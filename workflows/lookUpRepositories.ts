import { isCancellation, setCurrentDetails, upsertSearchAttributes } from '@temporalio/workflow';
import { readFailure } from './failures.ts';
import type { DiscoverIntegrationInput } from './inputs.ts';
import { createLimits, isRefusal, tellDiscovered, tellRefused } from './limits.ts';
import { bitbucketChunk } from './policies.ts';
import { INTEGRATION_ID, ORGANIZATION_ID, STAGE } from './searchAttributes.ts';

/**
 * What `discoverIntegration` does instead of a whole discovery where a webhook named the repositories that are new or
 * have another name: asks for each of them alone, then tells the integration. What is missed by it, the next whole discovery finds.
 */
export async function lookUpRepositories(
  { organizationId, integrationId }: DiscoverIntegrationInput,
  uuids: readonly string[],
): Promise<void> {
  const limits = createLimits();
  upsertSearchAttributes([
    { key: ORGANIZATION_ID, value: organizationId },
    { key: INTEGRATION_ID, value: integrationId },
    { key: STAGE, value: 'discovering' },
  ]);
  let left = [...uuids];
  try {
    while (left.length > 0) {
      setCurrentDetails(`Looks at ${left.length} repositories that a webhook says are new or changed.`);
      await limits.chunk(async () => {
        const chunk = await bitbucketChunk().lookUpRepositories.executeWithOptions(
          { summary: `${left.length} repositories that a webhook named, one request each` },
          [{ organizationId, integrationId, uuids: left }],
        );
        left = chunk.left;
        return chunk;
      });
    }
  } catch (error) {
    if (isCancellation(error)) throw error;
    const { type, finding } = readFailure(error);
    if (isRefusal(type)) await tellRefused(integrationId, finding);
    throw error;
  }
  await tellDiscovered(integrationId);
}
