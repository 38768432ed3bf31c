import type { Database } from '../../db/client.ts';
import type { Scope } from '../../db/queries/discovery.ts';
import { insertEvent } from '../../db/queries/events.ts';
import { markAbsent, type Suspect } from '../../db/queries/presence.ts';
import type { Presence } from '../../workflows/words.ts';
import type { Asker } from '../bitbucket/asker.ts';
import type { BitbucketClient, CredentialRef } from '../bitbucket/client.ts';
import { segment } from '../bitbucket/connectionCheck/target.ts';
import { Forbidden, NotFound, RepositoryGone, ScopeMissing } from '../bitbucket/errors.ts';
import { asList, readRecords } from '../bitbucket/paging.ts';
import { repositorySchema } from '../bitbucket/schemas.ts';
import { storeFound, storeRepositories } from '../storeRepositories.ts';

/** Bitbucket's word that something is not there, or not for this account. */
export const isRefusal = (error: unknown): boolean =>
  [Forbidden, NotFound, RepositoryGone, ScopeMissing].some((type) => error instanceof type);

/** A short limit is waited for here; a longer one on the workflow's timer. */
const MAX_WAIT_MS = 20_000;

export interface LookUp {
  database: Database;
  client: BitbucketClient;
  integration: Scope;
  suspect: Suspect;
  request: { credential: CredentialRef; signal: AbortSignal; asker: Asker };
}

/**
 * Asks for a repository that two lists lack, by its uuid alone: wherever it is now, its answer says. Found, it is stored as
 * any other. Otherwise it is marked: 403 says that it is there, unless it is the credential that may look at none; 404 is one answer for deleted and for hidden from the
 * account (facts 4.2), and then only another integration that still sees it tells the difference. Throws the client's errors.
 */
export async function lookUp({ database, client, integration, suspect, request }: LookUp): Promise<void> {
  const path = `/repositories/${segment('{}')}/${segment(suspect.providerUuid)}`;
  let presence: Exclude<Presence, 'present'>;
  try {
    const answer = await client.get({ ...request, path, maxWaitMs: MAX_WAIT_MS });
    const parsed = readRecords(repositorySchema, asList(answer), {
      values: [answer.json],
      next: null,
      size: 1,
    });
    const { observedAt } = answer;
    // What cannot be read is there all the same: nothing is marked.
    await storeRepositories(database, integration, { parsed, observedAt, workspaceUuid: null });
    return;
  } catch (error) {
    if (!isRefusal(error)) throw error;
    if (error instanceof ScopeMissing) return;
    const isThere = error instanceof Forbidden || suspect.seenByAnother;
    presence = isThere ? 'no_access' : 'gone';
  }
  const { repositoryId, fullName: full_name } = suspect;
  await storeFound(database, integration, async (tx) => {
    if (!(await markAbsent(tx, integration, { repositoryId, presence }))) return;
    const type = `repository_${presence}`;
    await insertEvent(tx, { ...integration, type, repositoryId, data: { full_name } });
  });
}
