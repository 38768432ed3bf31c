import type { Database } from '../../db/client.ts';
import type { Scope } from '../../db/queries/discovery.ts';
import type { Asker } from '../bitbucket/asker.ts';
import type { BitbucketClient, CredentialRef } from '../bitbucket/client.ts';
import { FeatureGone, Forbidden, NotFound, RepositoryGone, ScopeMissing } from '../bitbucket/errors.ts';
import { asList, readRecords } from '../bitbucket/paging.ts';
import { unreadable } from '../bitbucket/readJson.ts';
import { repositoryPath } from '../bitbucket/repositoryPath.ts';
import { repositorySchema } from '../bitbucket/schemas.ts';
import { storeRepositories } from './storeRepositories.ts';

/** A short limit is waited for here; a longer one on the workflow's timer. */
const MAX_WAIT_MS = 20_000;

export interface AskingByUuid {
  database: Database;
  client: BitbucketClient;
  integration: Scope;
  request: { credential: CredentialRef; signal: AbortSignal; asker: Asker };
}

/** Bitbucket's word that something is not there, or not for this account; 410: its workspace was closed (facts 4.2). */
export const isRefusal = (error: unknown): boolean =>
  [FeatureGone, Forbidden, NotFound, RepositoryGone, ScopeMissing].some((type) => error instanceof type);

/**
 * Asks for a repository by its uuid alone, with one request, and stores what the answer shows as if a list had. Gives how
 * many were stored; 0: the answer cannot be read. Throws the client's errors (`isRefusal`: it is not to be seen).
 */
export async function storeByUuid(
  { database, client, integration, request }: AskingByUuid,
  uuid: string,
): Promise<number> {
  const answer = await client.get({ ...request, path: repositoryPath(uuid), maxWaitMs: MAX_WAIT_MS });
  const single = { values: [answer.json], next: null, size: 1 };
  const parsed = readRecords(repositorySchema, asList(answer), single);
  const { observedAt } = answer;
  return storeRepositories(database, integration, { parsed, observedAt, workspaceUuid: null });
}

/**
 * Whether the credential may see it: a refusal is an answer too. What is shown is stored. Throws InvalidResponse for an
 * answer that cannot be read, and the client's other errors.
 */
export async function isShown(asking: AskingByUuid, uuid: string): Promise<boolean> {
  try {
    if ((await storeByUuid(asking, uuid)) === 0)
      throw unreadable(repositoryPath(uuid), 'does not show a repository');
    return true;
  } catch (error) {
    if (isRefusal(error)) return false;
    throw error;
  }
}
