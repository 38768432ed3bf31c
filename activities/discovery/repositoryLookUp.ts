import type { Database } from '../../db/client.ts';
import type { DiscoveryActivities } from '../../workflows/contracts/discovery.ts';
import type { Limited } from '../../workflows/contracts/waiting.ts';
import { discoveryConsumer, walker } from '../bitbucket/asker.ts';
import type { BitbucketClient } from '../bitbucket/client.ts';
import { RateLimited } from '../bitbucket/errors.ts';
import type { CredentialStore } from '../credentials/credentialStore.ts';
import { withHeartbeats } from '../heartbeats.ts';
import { isShown } from './storeByUuid.ts';
import { workflowId } from '../workflowId.ts';

/**
 * Discovers single repositories, with one request each: a webhook said that they are new, or have another name. One that the
 * credential may not see, or that is gone again, is none to discover.
 */
export function createRepositoryLookUp(dependencies: {
  database: Database;
  client: BitbucketClient;
  credentials: CredentialStore;
}): DiscoveryActivities['lookUpRepositories'] {
  const { database, client, credentials } = dependencies;

  return ({ organizationId, integrationId, uuids }) =>
    withHeartbeats(async (signal) => {
      const integration = { organizationId, integrationId };
      const credential = await credentials.ofIntegration(integration);
      const asker = walker(discoveryConsumer(integrationId), workflowId());
      const left = [...uuids];
      let found = 0;
      let limited: Limited | undefined;

      async function lookUp(repository: string): Promise<number> {
        const request = { credential, signal, asker };
        return (await isShown({ database, client, integration, request }, repository)) ? 1 : 0;
      }

      for (let uuid = left[0]; uuid !== undefined; uuid = left[0]) {
        try {
          found += await lookUp(uuid);
        } catch (error) {
          if (!(error instanceof RateLimited)) throw error;
          limited = { until: error.until, why: error.why };
          break;
        }
        left.shift();
      }
      return { left, found, ...(limited === undefined ? {} : { limited }) };
    });
}
