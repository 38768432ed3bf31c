import type { Database } from '../db/client.ts';
import type { DiscoveryActivities, Limited } from '../workflows/contracts.ts';
import { discoveryConsumer, walker } from './bitbucket/asker.ts';
import type { BitbucketAnswer, BitbucketClient } from './bitbucket/client.ts';
import { segment } from './bitbucket/connectionCheck/target.ts';
import { Forbidden, NotFound, RateLimited, RepositoryGone, ScopeMissing } from './bitbucket/errors.ts';
import { asList, readRecords } from './bitbucket/paging.ts';
import { unreadable } from './bitbucket/readJson.ts';
import { repositorySchema } from './bitbucket/schemas.ts';
import type { CredentialStore } from './credentials/credentialStore.ts';
import { withHeartbeats } from './heartbeats.ts';
import { storeRepositories } from './storeRepositories.ts';
import { workflowId } from './workflowId.ts';

const MAX_WAIT_MS = 20_000;

/** By its uuid alone, whatever the workspace is called (facts 3). */
const pathOf = (uuid: string): string => `/repositories/${segment('{}')}/${segment(uuid)}`;

/**
 * Discovers single repositories, with one request each: a webhook said that they are new. One that the credential may not
 * see, or that is gone again, is none to discover.
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

      async function ask(path: string): Promise<BitbucketAnswer | undefined> {
        try {
          return await client.get({ credential, signal, asker, maxWaitMs: MAX_WAIT_MS, path });
        } catch (error) {
          const hidden = [Forbidden, NotFound, RepositoryGone, ScopeMissing].some(
            (type) => error instanceof type,
          );
          if (hidden) return undefined;
          throw error;
        }
      }

      async function lookUp(path: string): Promise<number> {
        const answer = await ask(path);
        if (answer === undefined) return 0;
        const single = { values: [answer.json], next: null, size: 1 };
        const parsed = readRecords(repositorySchema, asList(answer), single);
        if (parsed.records.length === 0) throw unreadable(path, 'does not show a repository');
        const { observedAt } = answer;
        return storeRepositories(database, integration, { parsed, observedAt, workspaceUuid: null });
      }

      for (let uuid = left[0]; uuid !== undefined; uuid = left[0]) {
        try {
          found += await lookUp(pathOf(uuid));
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
